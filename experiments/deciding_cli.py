"""``decide``: what the rules say of the experiments that run, carried out once, or day after day."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, Final

import click
import duckdb

from experiments.command_line import at_option, json_option, opened_store, print_json
from experiments.errors import StoreUnavailableError
from experiments.listing import decision_line
from experiments.records import DecisionRecord
from experiments.service_time import analysis_instant
from feature_repo.durations import Duration
from feature_repo.settings import Settings
from feature_repo.signals import on_stop_signals

AGAIN_AFTER: Final = timedelta(minutes=1)
"""So long after a round that could not be, or sooner where rounds are more frequent, the next is tried."""


@dataclass(frozen=True, slots=True)
class _Round:
    """What to decide, and how to tell of it."""

    settings: Settings
    names: tuple[str, ...]
    at: datetime | None
    as_json: bool


@click.command("decide")
@click.argument("names", nargs=-1)
@click.option(
    "--every", type=Duration(timedelta(seconds=1)), metavar="DURATION",
    help="Again and again, so long after each other, such as 1d; until Ctrl-C.  [default: once]",
)  # fmt: skip
@json_option
@at_option
def decide_command(
    names: tuple[str, ...], every: timedelta | None, as_json: bool, at: datetime | None
) -> None:
    """Decide the experiments NAMES, or all that run, by their rules, and carry it out.

    Promotes, rolls back or holds, each with a record of its evidence. With one that cannot be analysed the
    others are decided all the same, and the exit status is 1.

    With --every it goes on until Ctrl-C or SIGTERM, whose exit status is 0. While the store is away it says
    so on standard error and tries again each minute; an experiment that cannot be analysed is told, too, and
    has its turn again in the next round.

    \b
    Examples:
        python -m experiments decide
        python -m experiments decide new-ranker --json
        python -m experiments decide --every 1d
    """
    asked = _Round(Settings.from_environment(), names, at, as_json)
    if every is None:
        if not _decided(asked, lambda: False):
            raise click.exceptions.Exit(1)
        return
    if at is not None:
        raise click.UsageError("--every decides as of each round's own now: leave --at out")
    with _stopping() as stop:
        _keep_deciding(asked, every, stop)
    click.echo("stopped; nothing is lost", err=True)


def _keep_deciding(asked: _Round, every: timedelta, stop: threading.Event) -> None:
    while not stop.is_set():
        pause = every
        try:
            _decided(asked, stop.is_set)
        except BrokenPipeError:  # nobody reads what is said
            raise
        except (click.ClickException, OSError, duckdb.Error) as error:
            pause = min(every, AGAIN_AFTER)
            told = error.message if isinstance(error, click.ClickException) else str(error)
            click.echo(f"nothing decided, trying again in {pause}: {told}", err=True)
        stop.wait(pause.total_seconds())


def _decided(asked: _Round, stopped: Callable[[], bool]) -> bool:
    """Decide once; say whether that went for each of them, or nothing more was wanted."""
    judging: Any = import_module("experiments.judging")  # brings statsmodels along: a second to load
    decided: list[DecisionRecord] = []
    failed = False
    with opened_store(asked.settings) as store:
        now = asked.at or analysis_instant(store, asked.settings, datetime.now(UTC))
        names: Sequence[str] = asked.names or [experiment.name for experiment in store.running()]
        for name in names:
            if stopped():
                break
            try:
                judged = judging.judge(store, asked.settings, name, now)
                decided.append(judging.settle(store, asked.settings, judged, now))
            except StoreUnavailableError:  # no other can be decided, either
                raise
            except ValueError as error:  # an ExperimentError is one
                failed = True
                click.echo(f"{name}: not decided: {error}", err=True)
            else:
                if not asked.as_json:
                    click.echo(f"{name}: {decision_line(decided[-1])}")
    if asked.as_json:
        print_json([record.model_dump(mode="json") for record in decided])
    return not failed


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set: the decision in progress is carried out first."""
    stop = threading.Event()
    with on_stop_signals(lambda _signal, _frame: stop.set()):
        yield stop

"""``python -m serving rehearse``.

The service is loaded by the command itself: the other commands need not wait for it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from experiments.definitions import ExperimentDefinition
from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings

if TYPE_CHECKING:
    from serving.rehearsal.visits import Rehearsed


@click.command("rehearse")
@click.option("--days", default=1, show_default=True, type=click.IntRange(1, 90), help="Days to live.")
@click.option("--members", type=click.IntRange(min=1), help="How many come at all.  [default: all]")
@click.option(
    "--trial", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON definition of an experiment to start as the rehearsal begins.",
)  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Decides who comes, and what they do.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def rehearse_command(days: int, members: int | None, trial: Path | None, seed: int, as_json: bool) -> None:
    """Let the simulated service live on, with the pages that this server would make.

    Day after day its members ask for pages, look, and play what they truly like. Events go through the event
    log and the stream, what was shown into the impression log, and experiments that run deal their arms: all
    as in production, with time running faster. It goes on where the data, or the rehearsal before, ended.

    The table tells, by arm, how often tiles were played, and how often the truth expects them to be: what an
    experiment should find out. Needs `make pipeline` on the simulated service, and no server at work.

    \b
    Examples:
        python -m serving rehearse --days 7
        python -m experiments template post_filter > variety.json
        python -m serving rehearse --days 14 --trial variety.json
        python -m experiments analyze post-filter-1
    """
    settings = Settings.from_environment()
    home: Any = import_module("serving.rehearsal.home")
    try:
        start = home.beginning(settings)
        if trial is not None:
            home.start_trial(settings, ExperimentDefinition.model_validate_json(trial.read_bytes()), start)
        with running_redis(settings) as url:
            at_work = replace(settings, redis_url=url)
            found = _with_progress(home, at_work, start, days, seed, members)
    except (FileNotFoundError, ValueError) as error:  # BundleError and ExperimentError are some
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(_as_json(found))
    else:
        Console().print(_table(found))


def _with_progress(
    home: Any, settings: Settings, start: datetime, days: int, seed: int, members: int | None
) -> Rehearsed:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("pages", total=None)
        found: Rehearsed = home.rehearse(
            settings, start, days, seed, members,
            lambda _, done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip
        return found


def _as_json(found: Rehearsed) -> str:
    tallies = {
        name: asdict(tally) | {"play_rate": tally.play_rate, "true_play_rate": tally.true_play_rate}
        for name, tally in found.tallies.items()
    }
    return json.dumps({"events": found.events, "tallies": tallies}, indent=2)


def _table(found: Rehearsed) -> Table:
    table = Table(
        Column("who", no_wrap=True), "pages", "tiles", "plays", "play rate", "true play rate"
    )  # fmt: skip
    for name, tally in sorted(found.tallies.items()):
        table.add_row(
            name, f"{tally.pages:,}", f"{tally.tiles:,}", f"{tally.plays:,}",
            f"{tally.play_rate:.5f}", f"{tally.true_play_rate:.5f}",
        )  # fmt: skip
    return table

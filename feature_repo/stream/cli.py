"""``python -m feature_repo stream``: keep features fresh from the event log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from types import FrameType
from typing import Final

import click
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from feature_repo.ingest.lake import Lake, LakeError
from feature_repo.redis_server import RedisUnavailableError, running_redis
from feature_repo.settings import Settings
from feature_repo.signals import on_stop_signals
from feature_repo.store import FeatureGateway
from feature_repo.store_profile import ProfileError
from feature_repo.stream.event_log import PARTITIONS, EventLogError
from feature_repo.stream.member_states import StateLayoutError
from feature_repo.stream.metrics import StreamMetrics
from feature_repo.stream.opening import open_event_log
from feature_repo.stream.processor import ProcessorSettings
from feature_repo.stream.recovery import StatesLostError, is_cold, refill
from feature_repo.stream.running import StreamRunner, StreamSettings

_AWAY_SECONDS: Final = 1.0
LOG_VARIABLE = "MARQUEE_EVENT_LOG"
PARTITIONS_VARIABLE = "MARQUEE_EVENT_PARTITIONS"


@click.command("stream")
@click.option(
    "--log", "log_url", envvar=LOG_VARIABLE,
    help="redis://host:port/0 or kafka://host:port/topic.  [default: the online store's Redis]",
)  # fmt: skip
@click.option(
    "--partitions", envvar=PARTITIONS_VARIABLE, default=PARTITIONS, show_default=True,
    type=click.IntRange(min=1), help="Of a new event log; an old one keeps its number.",
)  # fmt: skip
@click.option("--batch", default=5_000, show_default=True, type=click.IntRange(min=1), help="Most at once.")
@click.option(
    "--lateness-minutes", default=60, show_default=True, type=click.IntRange(min=0),
    help="How far an event may lie behind its member's newest and still count at once.",
)  # fmt: skip
@click.option(
    "--flush-seconds", default=60.0, show_default=True, type=click.FloatRange(min=0),
    help="How often rows go to the lake.",
)  # fmt: skip
@click.option(
    "--lease-seconds", default=10.0, show_default=True, type=click.FloatRange(min=0.1),
    help="After so long without a sign of life the partitions go to other processors.",
)  # fmt: skip
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="Serve Prometheus metrics on it.")
@click.option("--reseed", is_flag=True, help="Make all members' states anew from the events of the lake.")
def stream(
    log_url: str | None,
    partitions: int,
    batch: int,
    lateness_minutes: int,
    flush_seconds: float,
    lease_seconds: float,
    metrics_port: int | None,
    reseed: bool,
) -> None:
    """Keep features fresh: from the event log into the online store and the lake, until Ctrl-C.

    Ctrl-C is how it ends: what is due is written, and the exit status is 0.

    Start as many as there is work for; they share the partitions. The first one makes the members' states
    from the events of the lake. After an import with --append, or where a state is in doubt, stop all and
    start one with --reseed.

    \b
    Examples:
        python -m feature_repo stream
        python -m feature_repo stream --log kafka://localhost:9092/marquee-events --metrics-port 9101
    """
    settings = Settings.from_environment()
    chosen = StreamSettings(
        ProcessorSettings(batch, timedelta(minutes=lateness_minutes)),
        timedelta(seconds=lease_seconds), timedelta(seconds=flush_seconds),
    )  # fmt: skip
    try:
        with _stop_on_signals() as stop, running_redis(settings) as url:
            metrics = StreamMetrics(lambda: datetime.now(UTC))
            if metrics_port is not None:
                metrics.serve(metrics_port)
            gateway = FeatureGateway.open(settings, url)

            def prepared(again: bool = False) -> StreamRunner:
                log = open_event_log(log_url or url, partitions)
                runner = StreamRunner(settings, gateway, log, chosen, metrics=metrics)
                _seed(runner, again, partial(_refill_if_cold, settings, gateway, stop))
                click.echo("the stream is running; Ctrl-C stops it")
                return runner

            _keep_running(prepared(reseed), prepared, stop)
    except (RedisUnavailableError, ProfileError, EventLogError, LakeError, StateLayoutError) as error:
        raise click.ClickException(str(error)) from error
    click.echo("stopped; nothing is lost")


def _keep_running(runner: StreamRunner, prepared: Callable[[], StreamRunner], stop: threading.Event) -> None:
    """Run until ``stop`` is set; when the store has lost everything, go on with a runner prepared anew."""
    current: StreamRunner | None = runner
    while current is not None:
        try:
            current.run(stop)
            return
        except StatesLostError as error:
            click.echo(f"{error}; all is made anew", err=True)
        current = _when_there(prepared, stop)


def _when_there(prepared: Callable[[], StreamRunner], stop: threading.Event) -> StreamRunner | None:
    """Return what could be prepared at last; None where ``stop`` was set before."""
    while not stop.is_set():
        try:
            return prepared()
        except BrokenPipeError:  # nobody reads what is said: that is no store
            raise
        except (RedisError, EventLogError, OSError) as error:
            click.echo(f"the stream's stores are away; trying again: {error}", err=True)
            stop.wait(_AWAY_SECONDS)
    return None


def _refill_if_cold(
    settings: Settings, gateway: FeatureGateway, stop: threading.Event, alive: Callable[[], None]
) -> None:
    if is_cold(gateway, Lake(settings.lake)):
        refill(settings, gateway.online_url, stop, alive)


def _seed(runner: StreamRunner, again: bool, refill: Callable[[Callable[[], None]], None]) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("members' states", total=None)
        members = runner.seed_if_new(
            again,
            lambda name, done, total: bar.update(task, description=name, completed=done, total=total),
            refill,
        )
    if members is not None:
        click.echo(f"states of {members:,} members made from history")


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    stop = threading.Event()

    def set_stop(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    with on_stop_signals(set_stop):
        yield stop

"""``python -m serving rehearse``: the simulated service lives on, with this server's pages."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Final

import click
import numpy as np
import pyarrow.compute as pc
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from feature_repo import schema as s
from feature_repo.impression_log.joining import join_impressions
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import SHOWN_TILES
from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.live_members import LiveMembers
from feature_repo.simulation.world import World
from feature_repo.store import FeatureGateway
from feature_repo.stream.event_log import PARTITIONS
from feature_repo.stream.running import StreamRunner, StreamSettings
from serving.bundles import KeeperSettings
from serving.rehearsal import Rehearsal, Rehearsed, SetClock
from serving.server import event_log_beside, service_of
from training.bundle import CHAMPION, BundleAliases, BundleError, load_bundle

_HOUR: Final = timedelta(hours=1)


@click.command()
@click.option(
    "--days", default=1, show_default=True, type=click.IntRange(1, 90), help="Days to live through."
)
@click.option("--members", type=click.IntRange(min=1), help="How many come at all.  [default: all]")
@click.option("--seed", default=1, show_default=True, help="Decides who comes when, and what they do.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def rehearse(days: int, members: int | None, seed: int, as_json: bool) -> None:
    """Let the simulated service live on, with the pages that this server would make.

    Day after day they ask for pages, look, and play what they truly like. Events go through the event log
    and the stream, what was shown into the impression log, and experiments that run deal their arms: all
    as in production, with time running faster. It goes on where the data, or the rehearsal before, ended.

    The table tells, by arm, how often tiles were played, and how often the truth expects them to be: what an
    experiment should find out. Needs `make pipeline` on the simulated service, and no server at work.

    \b
    Examples:
        python -m serving rehearse --days 7
        python -m experiments create trial.json --start
        python -m serving rehearse --days 14 --members 2000
        python -m experiments analyze trial
    """
    settings = Settings.from_environment()
    try:
        world = World.load(settings.simulation)
        start = _begin(settings)
    except (FileNotFoundError, ValueError) as error:  # a BundleError is one
        raise click.ClickException(str(error)) from error
    with running_redis(settings) as url:
        found = _rehearse(Settings(settings.home, settings.lake, url), world, start, days, members, seed)
    click.echo(_as_json(found) if as_json else "")
    if not as_json:
        Console().print(_table(found))


def _begin(settings: Settings) -> datetime:
    """Return the full hour at which the data, or the rehearsal before, ended; raises ``BundleError``."""
    version = BundleAliases(settings.bundles).get(CHAMPION)
    if version is None:
        raise BundleError(settings.bundles, "no champion", "a bundle to serve", "Run `make pipeline` first.")
    end = load_bundle(settings.bundles / version).manifest.data_window.end
    lake = Lake(settings.lake)
    if lake.exists(SHOWN_TILES):
        shown = lake.read(SHOWN_TILES, columns=[s.EVENT_TIMESTAMP])
        if shown.num_rows:
            end = max(end, pc.max(shown.column(s.EVENT_TIMESTAMP)).as_py())
    end = end.astimezone(UTC)
    whole = end.replace(minute=0, second=0, microsecond=0)
    return whole if whole == end else whole + _HOUR


def _rehearse(
    settings: Settings, world: World, start: datetime, days: int, members: int | None, seed: int
) -> Rehearsed:
    clock = SetClock(start)
    keeper = KeeperSettings(clock_mode="wall", refresh_every=timedelta(days=1), trend_every=timedelta(0))
    service = service_of(settings, keeper, clock)
    gateway = FeatureGateway.open(settings)
    log = event_log_beside(gateway.online_url, PARTITIONS)
    runner = StreamRunner(settings, gateway, log, StreamSettings(flush_every=timedelta(days=1)))
    live = LiveMembers(world, SimulationConfig(), np.random.default_rng(seed), members)
    runner.seed_if_new()
    service.start(watch=False)
    try:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("pages", total=None)
            return Rehearsal(service, live, clock, log, runner).run(
                start, days, lambda _, done, total: bar.update(task, completed=done, total=total)
            )
    finally:
        service.stop()
        runner.leave()
        join_impressions(Lake(settings.lake), clock.now)


def _as_json(found: Rehearsed) -> str:
    tallies = {
        name: asdict(tally) | {"play_rate": tally.play_rate, "true_play_rate": tally.true_play_rate}
        for name, tally in found.tallies.items()
    }
    return json.dumps({"events": found.events, "tallies": tallies}, indent=2)


def _table(found: Rehearsed) -> Table:
    table = Table("who", "pages", "tiles", "plays", "play rate", "true play rate")
    for name, tally in sorted(found.tallies.items()):
        table.add_row(
            name, f"{tally.pages:,}", f"{tally.tiles:,}", f"{tally.plays:,}",
            f"{tally.play_rate:.5f}", f"{tally.true_play_rate:.5f}",
        )  # fmt: skip
    return table

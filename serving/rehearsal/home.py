"""A rehearsal in a home: the service, the log and the stream of its own, from where its data ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow.compute as pc

from experiments.definitions import ExperimentDefinition
from experiments.opening import open_store
from experiments.starting import start_experiment
from feature_repo import schema as s
from feature_repo.impression_log.joining import join_impressions
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import SHOWN_TILES
from feature_repo.progress import Progress
from feature_repo.settings import Settings
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.live_members import LiveMembers
from feature_repo.simulation.world import World
from feature_repo.store import FeatureGateway
from feature_repo.stream.event_log import PARTITIONS
from feature_repo.stream.running import StreamRunner, StreamSettings
from serving.bundles import KeeperSettings
from serving.rehearsal.visits import Rehearsal, Rehearsed, SetClock
from serving.server import event_log_beside, service_of
from training.bundle import CHAMPION, BundleAliases, BundleError, load_bundle

_HOUR: Final = timedelta(hours=1)


def beginning(settings: Settings) -> datetime:
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


def start_trial(settings: Settings, definition: ExperimentDefinition, start: datetime) -> None:
    """Create an experiment and start it; raises ``ExperimentError`` where that is refused."""
    store = open_store(settings)
    try:
        store.create(definition, start)
        start_experiment(store, BundleAliases(settings.bundles), definition.name, start)
    finally:
        store.close()


def rehearse(
    settings: Settings,
    start: datetime,
    days: int,
    seed: int,
    members: int | None = None,
    progress: Progress | None = None,
) -> Rehearsed:
    """Let ``days`` days pass from ``start``; of the members only ``members`` come, where that is given.

    ``settings`` name a running Redis. What members were shown is joined with what came of it in the end, and
    after an interruption. Raises ``FileNotFoundError`` where the home is not that of a simulated service.
    """
    world = World.load(settings.simulation)
    clock = SetClock(start)
    keeper = KeeperSettings(
        clock_mode="wall", refresh_every=timedelta(days=1), trend_every=timedelta(0), rest=0
    )
    service = service_of(settings, keeper, clock)
    gateway = FeatureGateway.open(settings)
    log = event_log_beside(gateway.online_url, PARTITIONS)
    runner = StreamRunner(settings, gateway, log, StreamSettings(flush_every=timedelta(days=1)))
    live = LiveMembers(world, SimulationConfig(), np.random.default_rng(seed), members)
    runner.seed_if_new()
    service.start(watch=False)
    try:
        return Rehearsal(service, live, clock, log, runner).run(start, days, progress)
    finally:
        service.stop()
        runner.leave()
        join_impressions(Lake(settings.lake), clock.now)

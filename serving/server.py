"""The application that gunicorn loads, built from the environment."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final, cast, get_args

import redis
from flask import Flask

from experiments.opening import decisions_folder, open_store
from feature_repo.arrivals import Arrivals
from feature_repo.deletion.tombstones import DeletedMembers
from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.stream.event_log import PARTITIONS, EventLog
from feature_repo.stream.live_plays import LivePlays
from feature_repo.stream.opening import open_event_log
from feature_repo.title_feed import TitleFeed
from feature_repo.title_process import TitleProcess
from serving.api.access import ADMIN_TOKEN, Access
from serving.api_keys import KEYS_VARIABLE, KeyRing
from serving.app import create_app
from serving.arrivals import ArrivalSource
from serving.bundles import KeeperSettings
from serving.clock import Clock, ClockMode, wall_clock
from serving.deletions import DeletionDesk, MemberTraces
from serving.event_intake import ANSWER_SECONDS
from serving.experiment_desk import ExperimentPlaces
from serving.homepage import IdSource, unique_id
from serving.impression_writer import ImpressionWriter
from serving.impressions import ImpressionLog
from serving.live_trending import PlaySource
from serving.logs import configure_logs
from serving.members import FeatureReader
from serving.metrics import Metrics
from serving.service import HomepageService
from serving.settings import ServingSettings
from serving.shadow_cli import SHADOW_FOLDER
from serving.shown_seeds import SeedMemory, ShownSeeds
from serving.workers import worker_count

CLOCK_VARIABLE: Final = "MARQUEE_CLOCK"
SETTINGS_VARIABLE: Final = "MARQUEE_SERVING"
EVENT_LOG_VARIABLE: Final = "MARQUEE_EVENT_LOG"
PARTITIONS_VARIABLE: Final = "MARQUEE_EVENT_PARTITIONS"
UNKNOWN_RATE_VARIABLE: Final = "MARQUEE_UNKNOWN_RATE"
_MOST_PARTITIONS: Final = 1024
_HIGHEST_RATE: Final = 1e6


def application() -> Flask:
    """Build the application; nothing is connected until a worker starts its service after the fork."""
    configure_logs()
    keeper = KeeperSettings(clock_mode=clock_mode(os.environ.get(CLOCK_VARIABLE) or "auto"))
    service = service_of(Settings.from_environment(), keeper)
    return create_app(service, access=access_of(os.environ))


def access_of(environment: Mapping[str, str]) -> Access:
    """Return who may call what; raises ``KeysError`` for a key file that cannot be read."""
    file, rate = environment.get(KEYS_VARIABLE), environment.get(UNKNOWN_RATE_VARIABLE)
    return Access(
        environment.get(ADMIN_TOKEN, ""),
        KeyRing(Path(file)) if file else None,
        requests_per_second(rate) if rate else None,
        worker_count(environment),
    )


def service_of(
    settings: Settings, keeper: KeeperSettings, wall: Clock = wall_clock, new_id: IdSource = unique_id
) -> HomepageService:
    """Return the service of a home as the environment wants it; nothing is connected until it starts."""

    file = os.environ.get(SETTINGS_VARIABLE)
    chosen = ServingSettings.load(Path(file)) if file else ServingSettings()
    answer_seconds = chosen.limits.read_ms / 1e3

    def open_reader() -> tuple[FeatureReader, str | None]:
        gateway = FeatureGateway.open(settings, read_seconds=answer_seconds)
        apply_where_missing(gateway, settings)
        return gateway, gateway.schema_hash()

    def open_arrivals(reader: FeatureReader) -> ArrivalSource:
        gateway = cast("FeatureGateway", reader)
        return Arrivals.open(Lake(settings.lake), gateway, TitleFeed.open(gateway.online_url))

    def open_memory(reader: FeatureReader) -> SeedMemory:
        return ShownSeeds.open(cast("FeatureGateway", reader).online_url, answer_seconds)

    def open_plays(reader: FeatureReader) -> PlaySource:
        return LivePlays.open(cast("FeatureGateway", reader).online_url)

    partitions = event_partitions(os.environ.get(PARTITIONS_VARIABLE) or str(PARTITIONS))

    def open_events(reader: FeatureReader) -> EventLog:
        return event_log_beside(cast("FeatureGateway", reader).online_url, partitions)

    def open_impressions(metrics: Metrics) -> ImpressionLog:
        return ImpressionWriter(lambda: Lake(settings.lake), metrics, chosen.impressions)

    def open_deletions(reader: FeatureReader, events: Callable[[], EventLog]) -> DeletionDesk:
        gateway = cast("FeatureGateway", reader)
        client = redis.Redis.from_url(gateway.online_url, socket_timeout=30.0, socket_connect_timeout=0.5)
        seeds = ShownSeeds.open(gateway.online_url, answer_seconds)
        traces = MemberTraces(gateway, Lake(settings.lake), events, seeds.forget)
        settle = 2 * timedelta(seconds=chosen.impressions.flush_seconds)
        deleted = DeletedMembers.open(gateway.online_url)
        return DeletionDesk(client, deleted, traces, wall_clock, settle)

    experiments = ExperimentPlaces(lambda: open_store(settings), settings.lake, decisions_folder(settings))
    return HomepageService(
        settings.bundles, open_reader, settings=keeper, wall=wall, new_id=new_id, open_arrivals=open_arrivals,
        open_memory=open_memory, open_events=open_events, open_plays=open_plays, experiments=experiments,
        pages=chosen, open_impressions=open_impressions if chosen.impressions.enabled else None,
        shadow_folder=settings.home / SHADOW_FOLDER,
        open_deletions=open_deletions, titles_beside=TitleProcess(settings),
    )  # fmt: skip


def apply_where_missing(gateway: FeatureGateway, settings: Settings) -> None:
    """Make Feast's registry anew where its file is gone: it is made of the definitions, which are code."""
    if settings.registry.exists():
        return
    with (settings.home / "registry.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers start at the same moment
        if not settings.registry.exists():
            gateway.apply()


def event_log_beside(online_url: str, partitions: int) -> EventLog:
    """Open the event log that the environment names, else the one in the features' Redis."""
    return open_event_log(os.environ.get(EVENT_LOG_VARIABLE) or online_url, partitions, ANSWER_SECONDS)


def clock_mode(value: str) -> ClockMode:
    """Read a clock mode; raises ``ValueError`` naming the variable, the value and the choices."""
    if value not in get_args(ClockMode):
        raise ValueError(f"{CLOCK_VARIABLE}={value!r}: use one of {', '.join(get_args(ClockMode))}")
    return cast("ClockMode", value)


def requests_per_second(value: str) -> float:
    """Read a rate; raises ``ValueError`` naming the variable, the value and the range."""
    try:
        rate = float(value)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= _HIGHEST_RATE:
        raise ValueError(
            f"{UNKNOWN_RATE_VARIABLE}={value!r}: use requests a second, above 0, or leave it out"
        )
    return rate


def event_partitions(value: str) -> int:
    """Read a number of partitions; raises ``ValueError`` naming the variable, the value and the range."""
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= _MOST_PARTITIONS:
        raise ValueError(f"{PARTITIONS_VARIABLE}={value!r}: use 1 to {_MOST_PARTITIONS}")
    return int(value)

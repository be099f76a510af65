"""A small service that has served pages, all of them sampled, with events streaming in between."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import SERVED_FEATURES
from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.stream.redis_log import RedisEventLog
from feature_repo.stream.running import StreamRunner, StreamSettings
from serving.app import create_app
from serving.bundles import KeeperSettings
from serving.impression_writer import ImpressionWriter
from serving.service import HomepageService
from serving.settings import ImpressionSettings, ServingSettings
from tests.conftest import NOT_COPIED, TrainedService
from training.bundle import Bundle, load_bundle
from training.parity.served import ServedPages, read_served

PAGES = 24
DEVICES = ("tv", "mobile", "tablet", "web", "")


@dataclass(frozen=True)
class Served:
    """What was served, and what it can be replayed with."""

    settings: Settings
    gateway: FeatureGateway
    pages: ServedPages
    bundle: Bundle

    @property
    def bundles(self) -> dict[str, Bundle]:
        return {self.bundle.manifest.version: self.bundle}


@pytest.fixture(scope="package")
def served(trained_service: TrainedService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Members have asked for pages, watched something and asked again."""
    home = tmp_path_factory.mktemp("parity") / "home"
    with _served(home, trained_service, trained_service.end) as found:
        yield found


@pytest.fixture(scope="package")
def served_late(
    trained_service: TrainedService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The same, with an online store that was last materialized a day before."""
    home = tmp_path_factory.mktemp("parity-late") / "home"
    with _served(home, trained_service, trained_service.end - timedelta(days=1)) as found:
        yield found


@pytest.fixture(scope="package")
def served_an_hour_late(
    trained_service: TrainedService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The same, with an online store that missed its last two materializations, an hour apart.

    Features stand at full hours: the newest that is online is of two hours before the end of the data.
    """
    home = tmp_path_factory.mktemp("parity-hour-late") / "home"
    an_hour = timedelta(hours=1, microseconds=1)
    with _served(home, trained_service, trained_service.end - an_hour) as found:
        yield found


@contextmanager
def _served(home: Path, trained_service: TrainedService, materialized: datetime) -> Iterator[Served]:
    """Serve from a copy of the trained service whose features are online as of ``materialized``."""
    shutil.copytree(trained_service.settings.home, home, ignore=NOT_COPIED)
    alone = Settings(home, str(home / "lake"), None)
    with running_redis(alone) as url:
        settings = Settings(home, alone.lake, url)
        gateway = FeatureGateway.open(settings, url)
        gateway.apply()
        gateway.materialize(datetime(1970, 1, 1, tzinfo=UTC), materialized)
        log = RedisEventLog.open(url, partitions=2)
        runner = StreamRunner(settings, gateway, log, StreamSettings(flush_every=timedelta(days=1)))
        runner.seed_if_new()
        impressions = ImpressionSettings(parity_share=1.0, flush_seconds=600)
        service = HomepageService(
            settings.bundles, lambda: (gateway, gateway.schema_hash()),
            settings=KeeperSettings(clock_mode="replay"), pages=ServingSettings(impressions=impressions),
            open_events=lambda _: RedisEventLog.open(url, partitions=2),
            open_impressions=lambda seen: ImpressionWriter(lambda: Lake(settings.lake), seen, impressions),
        )  # fmt: skip
        service.start(watch=False)
        _live(service, runner, trained_service)
        service.stop()
        runner.leave()
        lake = Lake(settings.lake)
        assert lake.exists(SERVED_FEATURES)
        pages = read_served(lake, None, None, most_pages=1_000, seed=0)
        yield Served(settings, gateway, pages, load_bundle(settings.bundles / trained_service.version))


def _live(service: HomepageService, runner: StreamRunner, trained: TrainedService) -> None:
    """Known members and strangers take turns: a page, something watched, a page."""
    client, world = create_app(service).test_client(), trained.simulated.world
    known = [str(user) for user in world.user_ids[: 2 * PAGES : 2]]
    titles = np.random.default_rng(1).permutation(np.array(service.state.catalogue.title_ids))
    for turn, user in enumerate([*known, "stranger-1", "stranger-2"]):
        device = DEVICES[turn % len(DEVICES)]
        path = f"/v1/members/{user}/homepage" + (f"?device={device}" if device else "")
        with client.get(path) as answer:
            assert answer.status_code == 200
        if turn % 3 and turn < PAGES:
            continue
        events = [
            {
                "event_id": str(uuid4()), "user_id": user, "title_id": str(titles[turn + n]),
                "event_type": kind, "event_timestamp": service.now().isoformat(),
                "watch_fraction": fraction, "device_type": "mobile", "duration_minutes": 25,
            }
            for n, (kind, fraction) in enumerate((("play", None), ("progress", 0.3), ("complete", 0.95)))
        ]  # fmt: skip
        assert client.post("/v1/events", json={"events": events}).get_json()["rejected"] == []
        if turn == 0:  # the stream is slow: this page does not know yet
            client.get(path).close()
        while runner.work():
            pass
        with client.get(path) as answer:
            assert answer.status_code == 200

"""A trained service in this process, on a redis-server of the test's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import redis
import structlog
from flask.testing import FlaskClient

from feature_repo.settings import Settings
from serving.app import create_app
from serving.bundles import KeeperSettings
from serving.server import service_of
from serving.service import HomepageService
from tests.conftest import TrainedService
from tests.faults.own_redis import OwnRedis, SlowRoad
from training.bundle import BundleAliases, load_bundle

LOOKS = 400
"""Pages asked for, at most, while waiting for a fault to heal."""


@dataclass
class Victim:
    """What a test breaks: the service in its home, its Redis, and the wall's clock as ``time[0]``."""

    service: HomepageService
    settings: Settings
    redis: OwnRedis
    road: SlowRoad
    members: list[str]
    time: list[datetime]
    client: FlaskClient

    def page(self, user_id: str, **query: str) -> dict[str, Any]:
        """Return a page, which must be there, full, and without a title twice."""
        answer = self.client.get(f"/v1/members/{user_id}/homepage", query_string=query)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.get_json()
        answer.close()  # from here on it is known to be shown
        tiles = [tile["title_id"] for row in page["rows"] for tile in row["tiles"]]
        assert 40 <= len(tiles) == len(set(tiles)) <= 80
        return page

    def healed(self, user_id: str) -> dict[str, Any]:
        """Ask for pages until one is what it should be; a busy machine may need a second one."""
        between = Event()
        for _ in range(LOOKS):
            if (page := self.page(user_id))["degraded"] == []:
                return page
            between.wait(0.05)  # longer than the breaker's pause, all in all
        pytest.fail(f"pages of {user_id} are still degraded: {self.page(user_id)['degraded']}")

    def send(self, *event_ids: str) -> Any:
        """Send plays of the first member."""
        events = [
            {"event_id": one, "user_id": self.members[0], "title_id": "t000001", "event_type": "hover",
             "event_timestamp": self.service.now().isoformat()}
            for one in event_ids
        ]  # fmt: skip
        return self.client.post("/v1/events", json={"events": events})

    def metric(self, series: str) -> float:
        lines = self.service.metrics.exposition().decode().splitlines()
        return sum(
            float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{series} ", f"{series}{{"))
        )


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Log one short line: the default draws every local variable of a traceback."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer(drop_missing=True)])
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def stored(trained_service: TrainedService, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of the trained service's online store."""
    with redis.Redis.from_url(trained_service.gateway.online_url) as client:
        client.save()
        folder, name = (client.config_get(key)[key] for key in ("dir", "dbfilename"))
    return Path(shutil.copy(Path(folder) / name, tmp_path_factory.mktemp("stored") / "features.rdb"))


@pytest.fixture
def own_redis(tmp_path: Path, stored: Path) -> Iterator[OwnRedis]:
    folder = tmp_path / "redis"
    folder.mkdir()
    server = OwnRedis(folder, Path(shutil.copy(stored, tmp_path / "snapshot.rdb")))
    server.start()
    yield server
    server.thaw()
    server.kill()


@pytest.fixture
def home(trained_service: TrainedService, tmp_path: Path) -> Path:
    """A home with the trained bundle and the registry, and an impression log that writes at once."""
    trained, home = trained_service.settings, tmp_path / "home"
    shutil.copytree(trained.bundles, home / "bundles")
    shutil.copytree(trained.lake, home / "lake")
    shutil.copy(trained.registry, home / trained.registry.name)
    (home / "serving.json").write_text(
        json.dumps(
            {"impressions": {"flush_seconds": 0.05}, "limits": {"stage_ms": 60_000, "page_ms": 60_000}}
        )
    )
    return home


@pytest.fixture
def victim_of(
    trained_service: TrainedService,
    own_redis: OwnRedis,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Callable[..., Victim]]:
    """What makes the victim that lives in a home, and ends it after the test.

    No page is asked for beside its keeper's work, unless ``rest`` says so: titles are read in this process.
    """
    slow = request.node.get_closest_marker("slow_road") is not None
    road, started = SlowRoad(own_redis.port), []

    def victim_of(home: Path, rest: float = 0) -> Victim:
        monkeypatch.setenv("MARQUEE_SERVING", str(home / "serving.json"))
        settings = Settings(home, str(home / "lake"), road.url if slow else own_redis.url)
        time = [trained_service.end + timedelta(minutes=1)]
        keeper = KeeperSettings(clock_mode="wall", rest=rest, warm_up_pages=2)
        service = service_of(settings, keeper, lambda: time[0])
        started.append(service)
        service.start(watch=False)
        champion = BundleAliases(settings.bundles).get("champion")
        members = load_bundle(settings.bundles / str(champion)).contents.user_ids.tolist()
        return Victim(
            service, settings, own_redis, road, members, time, create_app(service, "secret").test_client()
        )

    yield victim_of
    own_redis.thaw()
    road.delay = 0.0
    for service in started:
        service.stop()
    road.close()


@pytest.fixture
def victim(home: Path, victim_of: Callable[..., Victim]) -> Victim:
    return victim_of(home)


Ask = Callable[..., dict[str, Any]]

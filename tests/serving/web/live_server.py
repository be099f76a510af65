"""The whole service in this process, with its stream, for a browser to look at."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.serving import make_server

from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.stream.redis_log import RedisEventLog
from feature_repo.stream.running import StreamRunner, StreamSettings
from serving.api.access import Access
from serving.app import create_app
from serving.bundles import KeeperSettings
from serving.server import SETTINGS_VARIABLE, service_of
from serving.service import HomepageService
from tests.conftest import NOT_COPIED, TrainedService
from tests.serving.running_server import PATIENT
from training.bundle import BundleAliases, load_bundle, write_bundle

TOKEN = "operator"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve an application from threads of this process; yield its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class LiveService:
    """A service on a copy of the trained home, its address, and what it answers without a browser."""

    service: HomepageService
    address: str
    app: Flask
    challenger: str

    def get(self, path: str) -> Any:
        answer = self.app.test_client().get(path, headers=ADMIN)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def page(self, member: str, **query: str) -> Any:
        """Return a member's page as the browser asks for it."""
        named = "&".join(f"{name}={quote(value)}" for name, value in query.items())
        return self.get(f"/v1/members/{member}/homepage?preview=true&{named}")

    def bound(self, member: str, row_type: str, **query: str) -> list[tuple[str, str]]:
        """Return (id, name) of a row's titles that are not drawn by chance."""
        return [
            (tile["title_id"], tile["name"])
            for row in self.page(member, **query)["rows"]
            if row["row_type"] == row_type
            for tile in row["tiles"]
            if tile["propensity"] == 1.0
        ]


@contextmanager
def live_service(trained: TrainedService, home: Path) -> Iterator[LiveService]:
    """Serve a copy of the trained service: a Redis of its own, the stream at work, a challenger held."""
    shutil.copytree(trained.settings.home, home, ignore=NOT_COPIED)
    patient = home / "patient.json"
    patient.write_text(json.dumps(PATIENT))
    with (
        running_redis(Settings(home, str(home / "lake"), None)) as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv(SETTINGS_VARIABLE, str(patient))
        settings = Settings(home, str(home / "lake"), url)
        gateway = FeatureGateway.open(settings)
        gateway.apply()
        gateway.materialize(datetime(1970, 1, 1, tzinfo=UTC), trained.end)
        challenger = publish_challenger(settings, gateway)
        service = service_of(settings, KeeperSettings(clock_mode="replay"))
        service.start(watch=False)
        assert service.shadow is not None
        service.shadow.look()
        app = create_app(service, access=Access(TOKEN))
        with streaming(settings, gateway, url), served(app) as address:
            yield LiveService(service, address, app, challenger)
        service.stop()


def publish_challenger(settings: Settings, gateway: FeatureGateway) -> str:
    """Publish the champion once more as the challenger: only who decides the order is the other way round."""
    aliases = BundleAliases(settings.bundles)
    champion = load_bundle(settings.bundles / str(aliases.get("champion")))
    contents = replace(champion.contents, ranker_decides=not champion.contents.ranker_decides)
    window = champion.manifest.data_window
    version = write_bundle(
        settings.bundles, contents,
        created_at=champion.manifest.created_at + timedelta(seconds=1),
        data_window=(window.start, window.end),
        schema_hash=gateway.schema_hash(), seed=0, parent=champion.manifest.version, metrics={},
    )  # fmt: skip
    aliases.set("challenger", version)
    return version


@contextmanager
def streaming(settings: Settings, gateway: FeatureGateway, url: str) -> Iterator[None]:
    """Let a stream processor work until the block ends."""
    runner = StreamRunner(settings, gateway, RedisEventLog.open(url), StreamSettings())
    runner.seed_if_new()
    stopping = Event()

    def work() -> None:
        while not stopping.is_set():
            if not runner.work():
                stopping.wait(0.02)

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        runner._leases.release()

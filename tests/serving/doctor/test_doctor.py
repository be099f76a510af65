"""The examination of a real home, healthy and with one fault after another planted in it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from experiments.definitions import Status
from experiments.opening import open_store
from feature_repo.settings import Settings
from feature_repo.stream.event_log import LogRecord
from feature_repo.stream.redis_log import RedisEventLog
from serving.app import create_app
from serving.cli import serving
from serving.doctor.cli import examination
from serving.doctor.findings import Examination, Finding
from serving.doctor.machine import package_findings
from serving.refusals import Refusals
from tests.conftest import NOT_COPIED, TrainedService
from training.bundle import BundleAliases

NOW = datetime(2026, 3, 10, 1, tzinfo=UTC)


class Home:
    """A copy of the trained service's home, with its Redis, to break and to examine."""

    def __init__(self, folder: Path, trained: TrainedService, port: int) -> None:
        self.folder, self.trained, self.port = folder, trained, port
        self.environment = {
            "MARQUEE_HOME": str(folder),
            "REDIS_URL": trained.gateway.online_url,
            "MARQUEE_ADMIN_TOKEN": "a-secret",
        }
        self.now = NOW

    @property
    def settings(self) -> Settings:
        return Settings.from_environment(self.environment)

    def examine(self) -> Examination:
        return examination(self.environment, lambda: self.now, self.port)

    def finding(self, check: str, state: str) -> Finding:
        """Return the one finding of a check in a state; both must be there."""
        examined = self.examine()
        found = [one for one in examined.findings if (one.check, one.state) == (check, state)]
        assert len(found) == 1, examined.findings
        assert found[0].remedy or state == "ok"
        return found[0]


@pytest.fixture
def home(trained_service: TrainedService, tmp_path: Path) -> Home:
    folder = tmp_path / "home"
    shutil.copytree(trained_service.settings.home, folder, ignore=NOT_COPIED)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    return Home(folder, trained_service, free)


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_healthy_home_has_nothing_wrong_and_is_left_as_it_was(home: Home) -> None:
    before = snapshot(home.folder)
    with redis.Redis.from_url(home.environment["REDIS_URL"]) as client:
        keys = set(client.scan_iter())
        examined = home.examine()
        assert set(client.scan_iter()) == keys
    assert [one for one in examined.findings if one.state == "bad"] == []
    assert snapshot(home.folder) == before
    assert examined.machine["python"].startswith("3.11")
    assert examined.packages["feast"] != "missing"
    found = {one.check: one.found for one in examined.findings}
    assert "500 titles" in found["lake"]
    assert home.trained.version in found["bundles"]


def test_settings_say_where_they_come_from_and_keep_secrets(home: Home) -> None:
    home.environment["MARQUEE_EXPERIMENTS"] = (
        "postgresql://ana:hush-hush@127.0.0.1:1/marquee?sslkey=hush-hush"
    )
    examined = home.examine()
    settings = {one.name: one for one in examined.settings}
    assert settings["MARQUEE_HOME"].source == "environment"
    assert settings["MARQUEE_LAKE"].source == "default"
    assert settings["MARQUEE_LAKE"].value == str(home.folder / "lake")
    written = examined.model_dump_json()
    assert "hush-hush" not in written
    assert "a-secret" not in written
    assert [one.state for one in examined.findings if one.check == "experiments"] == ["bad"]


def break_champion_file(home: Home) -> None:
    (home.folder / "bundles" / home.trained.version / "ranker.ubj").write_bytes(b"no ranker")


def refuse_champion(home: Home) -> None:
    Refusals(home.folder / "bundles").record(home.trained.version, "norms", "too long", NOW)


def point_champion_nowhere(home: Home) -> None:
    (home.folder / "bundles" / "aliases.json").write_text('{"champion": "20200101T000000Z-00000000"}')


def write_failed_retrain(home: Home) -> None:
    record = {"began_at": "2026-03-10T00:00:00Z", "outcome": "failed", "reason": "out of memory", "slot": 1}
    (home.folder / "retrain.json").write_text(json.dumps(record))


def leave_a_killed_write_that_nobody_can_finish(home: Home) -> None:
    killed = home.folder / "lake" / "_staging" / "4f2a.whole"
    killed.mkdir(parents=True)
    long_ago = (NOW - timedelta(days=2)).timestamp()
    os.utime(killed, (long_ago, long_ago))
    (home.folder / "lake" / "_publish.lock").unlink(missing_ok=True)
    (home.folder / "lake" / "_publish.lock").mkdir()


FAULTS: dict[str, tuple[Any, str, str, str]] = {
    "no home": (lambda home: shutil.rmtree(home.folder), "home", "is not there", "make pipeline"),
    "no lake": (lambda home: shutil.rmtree(home.folder / "lake"), "lake", "is not there", "ingest"),
    "no events": (lambda home: shutil.rmtree(home.folder / "lake" / "events"), "lake", "no events", "ingest"),
    "a killed write": (leave_a_killed_write_that_nobody_can_finish, "lake", "4f2a.whole", "writable"),
    "no features": (
        lambda home: shutil.rmtree(home.folder / "lake" / "user_snapshot"),
        "features",
        "none",
        "build-features",
    ),
    "no registry": (lambda home: (home.folder / "registry.db").unlink(), "registry", "is not there", "apply"),
    "a registry that is none": (
        lambda home: (home.folder / "registry.db").write_bytes(b"no registry"),
        "registry",
        "cannot be looked at",
        "",
    ),
    "no bundles": (
        lambda home: shutil.rmtree(home.folder / "bundles"),
        "bundles",
        "none is published",
        "pipeline",
    ),
    "no champion": (
        lambda home: (home.folder / "bundles" / "aliases.json").unlink(),
        "bundles",
        "none is champion",
        "activate",
    ),
    "a champion that is not there": (point_champion_nowhere, "bundles", "is not published", "activate"),
    "damaged aliases": (
        lambda home: (home.folder / "bundles" / "aliases.json").write_text("{"),
        "bundles",
        "aliases.json",
        "activate",
    ),
    "a damaged champion": (break_champion_file, "bundles", "ranker.ubj", "rollback"),
    "a refused champion": (refuse_champion, "bundles", "too long", "rollback"),
    "a failed retrain": (write_failed_retrain, "retrain", "out of memory", "retrain"),
    "Redis is away": (
        lambda home: home.environment.update(REDIS_URL="redis://127.0.0.1:1/0"),
        "redis",
        "does not answer",
        "REDIS_URL",
    ),
    "a log with other partitions": (
        lambda home: home.environment.update(MARQUEE_EVENT_PARTITIONS="5"),
        "event log",
        "8 partitions",
        "=8",
    ),
    "a clock that is behind": (
        lambda home: setattr(home, "now", NOW - timedelta(days=3)),
        "events",
        "after this machine's clock",
        "clock",
    ),
    "a variable that cannot be meant": (
        lambda home: home.environment.update(MARQUEE_CLOCK="sundial"),
        "environment",
        "sundial",
        "MARQUEE_CLOCK",
    ),
    "no key file": (
        lambda home: home.environment.update(MARQUEE_API_KEYS=str(home.folder / "none.json")),
        "keys",
        "none.json",
        "keys",
    ),
    "an experiment store that is none": (
        lambda home: (home.folder / "experiments.db").write_bytes(b"no database" * 100),
        "experiments",
        "cannot be read",
        "list",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named_with_its_remedy(home: Home, fault: str) -> None:
    log = RedisEventLog.open(home.environment["REDIS_URL"])
    log.close()
    plant, check, said, remedy = FAULTS[fault]
    plant(home)
    found = home.finding(check, "bad")
    assert said in found.found
    assert remedy in found.remedy


def test_a_bundle_for_other_features_is_named(home: Home) -> None:
    manifest = home.folder / "bundles" / home.trained.version / "manifest.json"
    fields = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(fields | {"schema_hash": "f" * 64}))
    assert "ffffffff" in home.finding("registry", "bad").found


def test_a_home_of_somebody_else_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, who may read everything: the answer of the system is given for it."""
    closed, really = home.folder / "bundles", os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed and really(path, mode))
    assert str(closed) in home.finding("home", "bad").found


def test_an_empty_redis_is_named(home: Home, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    home.environment["REDIS_URL"] = redis_url
    assert home.finding("redis", "bad").remedy == "python -m feature_repo materialize"


def test_events_that_wait_for_the_stream_are_counted(home: Home, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        log = RedisEventLog.open(redis_url)
        log.append([LogRecord("ana", b"{}")])
        for key in client.scan_iter("marquee:events:[0-9]*"):
            client.delete(key)
            client.xadd(key, {"e": b"{}"}, id="1000-0")  # in the first second of 1970
    log.close()
    home.environment["MARQUEE_EVENT_LOG"] = redis_url
    found = home.finding("stream", "warn")
    assert found.found.startswith("1 events wait")
    assert found.remedy.startswith("python -m feature_repo stream")


def test_a_paused_experiment_is_worth_a_look(home: Home, experiment_of: Any) -> None:
    store = open_store(home.settings, home.environment)
    store.create(experiment_of("ui", variant="big"), NOW)
    store.change_status("test", Status.RUNNING, NOW)
    assert home.finding("experiments", "ok").found == "1 running"
    store.change_status("test", Status.PAUSED, NOW, "by hand")
    assert home.finding("experiments", "warn").found == "1 paused"
    store.close()


@contextmanager
def listening(application: Any) -> Iterator[int]:
    """Serve an application until the block ends; yield its port."""
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_on_the_port_is_told_from_another_program(home: Home, small: Any) -> None:
    with listening(create_app(small.service)) as home.port:
        assert small.service.state.models.version in home.finding("port", "ok").found
    with listening(Response("something else")) as home.port:
        assert f"--port {home.port + 1}" in home.finding("port", "bad").remedy


def test_a_server_without_a_bundle_is_not_ready(home: Home, unstarted: Any) -> None:
    with listening(create_app(unstarted.service)) as home.port:
        assert "no bundle in service" in home.finding("port", "warn").found


def test_packages_that_are_missing_or_others_are_told_apart() -> None:
    pinned = {"feast": "0.67.0", "torch": "2.13.0", "flask": "3.1.3"}
    installed = {"feast": "missing", "torch": "2.13.0+cpu", "flask": "3.0.0", "rich": "1"}
    found = [(one.state, one.found) for one in package_findings(installed, pinned)]
    assert found == [
        ("bad", "not installed: feast"), ("warn", "not the tested versions: flask 3.0.0 instead of 3.1.3"),
    ]  # fmt: skip


def test_the_command_prints_and_its_status_says_whether_something_is_wrong(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    good = CliRunner().invoke(serving, ["doctor", "--port", str(home.port)])
    assert (good.exit_code, "BAD" in good.output) == (0, False), good.output
    shutil.rmtree(home.folder / "bundles")
    wrong = CliRunner().invoke(serving, ["doctor", "--port", str(home.port), "--json"])
    assert wrong.exit_code == 1
    assert any(one["state"] == "bad" for one in json.loads(wrong.stdout)["findings"])
    told = CliRunner().invoke(serving, ["doctor", "--port", str(home.port)])
    assert "→ python -m training" in told.output
    assert BundleAliases(home.folder / "bundles").all() == {}

"""The server as it runs for real: trained from a tiny simulated service, in processes of its own."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.client import HTTPException
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]
import pytest
import redis
from click.testing import CliRunner
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from feature_repo import schema as s
from feature_repo.backfill import backfill
from feature_repo.cli import main as feature_repo_program
from feature_repo.ingest.lake import Lake
from feature_repo.redis_server import announced_url, redis_executable, running_redis
from feature_repo.settings import Settings
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.simulate import simulate
from feature_repo.store import FeatureGateway
from feature_repo.stream.event_log import EventLog
from feature_repo.stream.event_record import decode_events
from feature_repo.stream.redis_log import RedisEventLog
from serving.app import create_app
from serving.members import FeatureReader
from serving.service import HomepageService
from tests.serving.running_server import STOP_SECONDS, Server, kill, running
from training.als import AlsConfig
from training.bundle import BundleAliases, load_bundle
from training.config import TrainingConfig
from training.pipeline import train
from training.ranker import RankerConfig
from training.steps import StepRecorder

pytestmark = pytest.mark.slow
END = datetime(2026, 3, 1, tzinfo=UTC)
FAST = TrainingConfig(
    als=AlsConfig(iterations=3), ranker=RankerConfig(trees=20), warm_iterations=1, evaluation_members=20
)


def own_settings(home: Path) -> Settings:
    """No Redis is configured, so that one is started for this home."""
    return Settings(home, str(home / "lake"), None)


@pytest.fixture(scope="module")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service of 120 members and 400 titles, from simulation to champion bundle."""
    home = tmp_path_factory.mktemp("trained")
    settings, lake = own_settings(home), Lake(str(home / "lake"))
    tiny = simulate(SimulationConfig(members=120, titles=400, days=7), seed=3, end=END)
    for table, rows in (
        (s.TITLES, tiny.titles), (s.MEMBERS, tiny.members), (s.EVENTS, tiny.events),
        (s.IMPRESSIONS, tiny.impressions),
    ):  # fmt: skip
        lake.replace(table, rows)
    backfill(lake, END, seed=0)
    with running_redis(settings) as url:
        gateway = FeatureGateway.open(settings, url)
        gateway.apply()
        train(gateway, lake, settings, FAST, StepRecorder(lambda _: None), now=END, dataset="tiny")
    return home


def champion_members(settings: Settings) -> list[str]:
    version = BundleAliases(settings.bundles).get("champion")
    assert version is not None
    members: list[str] = load_bundle(settings.bundles / version).contents.user_ids.tolist()
    return members


@contextmanager
def serving(home: Path) -> Iterator[Server]:
    """Run the server until the block ends, and see that it goes as it should and leaves nothing behind."""
    with running(home) as server:
        family = server.family()
        names = " ".join(child.name() for child in family)
        assert "redis" in names
        assert len(family) >= 4  # gunicorn, its two workers, Redis
        yield server
        server.process.send_signal(signal.SIGINT)
        server.process.communicate(timeout=STOP_SECONDS)
        _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
        assert server.process.returncode == 0
        assert alive == []
        assert announced_url(own_settings(home)) is None


def check_documented_calls(server: Server, title_id: str) -> None:
    assert server.get("/healthz")[:2] == (200, {"status": "alive"})
    status, ready, _ = server.get("/readyz")
    assert (status, ready["status"], ready["feature_store"]) == (200, "ready", True)
    status, similar, _ = server.get(f"/v1/titles/{title_id}/similar?k=5")
    assert status == 200
    assert 1 <= len(similar["titles"]) <= 5
    status, document, _ = server.get("/openapi.json")
    assert status == 200
    assert {"/metrics", "/healthz", "/readyz", "/openapi.json"} <= set(document["paths"])
    assert server.get("/v1/members/x/homepage?device=fridge")[0] == 400


def pages_counted(server: Server) -> float:
    """Return how many pages the metrics of all workers add up to."""
    series = 'marquee_request_seconds_count{route="/v1/members/<user_id>/homepage",status="200"} '
    lines = server.get("/metrics")[1].splitlines()
    return float(next(line for line in lines if line.startswith(series)).removeprefix(series))


def wait_for_gauges(server: Server, *gauges: str) -> None:
    """Wait until the least that any process of the server shows of each gauge is above 0."""
    for _ in range(10_000):
        lines = (line.rpartition(" ") for line in server.get("/metrics")[1].splitlines())
        least = {name: float(value) for name, _, value in lines if name in gauges}
        if len(least) == len(gauges) and min(least.values()) > 0:
            return
    pytest.fail(f"some process keeps one of {', '.join(gauges)} at 0")


def wait_for_looks(server: Server, looks: int) -> None:
    """Wait until the workers, together, have taken titles in this often; each counts once it shows them."""
    series = "marquee_title_visible_seconds_count "
    for _ in range(10_000):
        lines = server.get("/metrics")[1].splitlines()
        found = [float(line.removeprefix(series)) for line in lines if line.startswith(series)]
        if found and found[0] >= looks:
            return
    pytest.fail(f"the workers have not taken titles in {looks} times")


def names_of(server: Server, title_id: str) -> set[str]:
    """Return what the workers that answer call a title."""
    return {server.get(f"/v1/titles/{title_id}/similar?k=3")[1]["name"] for _ in range(20)}


def import_title(home: Path, title_id: str, name: str) -> None:
    """Append a title to a service's catalogue with the command for it."""
    file = home / "more.csv"
    columns = "title_id,name,title_type,genres,cast,available_since,event_timestamp"
    file.write_text(f"{columns}\n{title_id},{name},movie,Drama,Ana,1709294400,1709294400\n")
    environment = {"MARQUEE_HOME": str(home), "MARQUEE_LAKE": None, "REDIS_URL": None}
    command = ["ingest", "files", "--append", "--titles", str(file)]
    imported = CliRunner(env=environment).invoke(feature_repo_program, command)
    assert imported.exit_code == 0, imported.output


def test_a_trained_service_serves_stops_cleanly_and_serves_the_same_again(trained_home: Path) -> None:
    members = champion_members(own_settings(trained_home))
    with serving(trained_home) as server:
        _, page, timing = server.get(f"/v1/members/{members[0]}/homepage?device=tv")
        assert page["degraded"] == []
        assert "Top Picks for You" in [row["title"] for row in page["rows"][:2]]
        assert page["generated_at"].startswith("2026-03-01T00:")  # the data ended long ago
        assert all(
            f"{stage};dur=" in timing for stage in ("features", "eligibility", "als", "ranker", "total")
        )
        stranger = server.get("/v1/members/nobody-we-know/homepage")[1]["rows"]
        assert stranger[0]["title"] == "Popular Now"
        check_documented_calls(server, stranger[0]["tiles"][0]["title_id"])
        alone = [server.rows(user_id) for user_id in members[:16]]
        with ThreadPoolExecutor(8) as callers:
            together = list(callers.map(server.rows, members[:16] * 4))
        assert together == alone * 4
        assert pages_counted(server) == 1 + 1 + 16 + 64
        wait_for_gauges(
            server, "marquee_feature_store_up", "marquee_bundle_trained_timestamp_seconds",
            "marquee_features_newest_timestamp_seconds",
        )  # fmt: skip
    with serving(trained_home) as server:
        assert [server.rows(user_id) for user_id in members[:3]] == alone[:3]


def test_a_title_and_a_member_that_come_in_are_there_for_every_worker_at_once_and_after_a_restart(
    trained_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARQUEE_ADMIN_TOKEN", "secret")
    home = tmp_path / "home"
    shutil.copytree(trained_home, home)
    titles = Lake(str(home / "lake")).read(s.TITLES)[s.TITLE_ID].to_pylist()
    record = {"name": "Night Ferry", "genres": ["Drama"], "cast": ["Ana"], "synopsis": "a ship at sea"}
    member = {"user_id": "zoe", "country": "KR", "language": "ko", "selected_title_ids": titles[:3]}
    with serving(home) as server:
        assert server.send("PUT", "/v1/titles/night-ferry", record)[0] == 401
        assert server.send("PUT", "/v1/titles/night-ferry", record, token="secret")[0] == 201
        wait_for_looks(server, 2)  # one by each worker
        assert names_of(server, "night-ferry") == {"Night Ferry"}
        record["name"] = "Day Ferry"
        assert server.send("PUT", "/v1/titles/night-ferry", record, token="secret")[0] == 200
        wait_for_looks(server, 4)
        assert names_of(server, "night-ferry") == {"Day Ferry"}
        import_title(home, "slow-train", "Slow Train")
        wait_for_looks(server, 6)
        assert names_of(server, "slow-train") == {"Slow Train"}
        assert server.send("POST", "/v1/members", member)[0] == 201
        assert server.send("POST", "/v1/members", member)[0] == 200
        assert server.send("POST", "/v1/members", member | {"country": "FR"})[0] == 409
        nothing = {"user_id": "yun"}
        assert [server.send("POST", "/v1/members", nothing)[0] for _ in range(2)] == [201, 200]
        page = server.get("/v1/members/zoe/homepage")[1]
        assert page["degraded"] == []
        sources = {source for row in page["rows"] for tile in row["tiles"] for source in tile["sources"]}
        assert {"als", "two_tower"} <= sources
    with serving(home) as server:
        assert names_of(server, "night-ferry") == {"Day Ferry"}


def batch_of(event_ids: list[str]) -> dict[str, Any]:
    """Return events of the last evening of the data, of a member and a title for each."""
    rest = {"event_type": "play", "event_timestamp": "2026-02-28T20:00:00Z"}
    return {"events": [{"event_id": i, "user_id": f"u-{i}", "title_id": f"t-{i}"} | rest for i in event_ids]}


def events_in(log: EventLog) -> list[str]:
    entries = [entry for p in range(log.partitions) for entry in log.read(p, None, 1_000_000)]
    events, _, poison = decode_events([entry.value for entry in entries])
    assert poison == []
    found: list[str] = events[s.EVENT_ID].to_pylist()
    return found


def test_no_acknowledged_event_is_lost_when_the_server_is_killed(
    trained_home: Path, tmp_path: Path, settings: Settings
) -> None:
    home, log_url = tmp_path / "home", str(settings.redis_url)
    shutil.copytree(trained_home, home)
    acknowledged: list[str] = []
    enough = threading.Event()

    def send(server: Server, client: int) -> None:
        try:
            for number in count():
                ids = [f"e-{client}-{number}-{place}" for place in range(5)]
                status, answer = server.send("POST", "/v1/events", batch_of(ids))
                assert (status, answer) == (202, {"accepted": 5, "rejected": []})
                acknowledged.extend(ids)
                if len(acknowledged) >= 500:
                    enough.set()
        except (OSError, HTTPException):
            pass  # it was killed
        finally:
            enough.set()

    with (
        running(home, MARQUEE_EVENT_LOG=log_url, MARQUEE_EVENT_PARTITIONS="3") as server,
        ThreadPoolExecutor(4) as clients,
    ):
        sending = [clients.submit(send, server, client) for client in range(4)]
        enough.wait()
        kill(server)
        for done in sending:
            done.result()
    assert len(acknowledged) >= 500
    with closing(RedisEventLog.open(log_url, 3)) as log:
        assert set(acknowledged) <= set(events_in(log))


def kill_redis(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.save()
        process = psutil.Process(client.info("server")["process_id"])
    process.kill()
    process.wait()


def revive_redis(url: str, settings: Settings) -> None:
    """Start it again where it was, and wait until it answers; it is stopped as the first would have been."""
    command = [
        redis_executable(), "--bind", "127.0.0.1", "--port", str(urlsplit(url).port), "--save", "",
        "--dir", str(settings.redis_directory), "--dbfilename", "features.rdb",
    ]  # fmt: skip
    subprocess.Popen(command, stdout=subprocess.DEVNULL)
    patient = Retry(ConstantBackoff(0.05), retries=400)
    errors: list[type[Exception]] = [redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError]
    with redis.Redis.from_url(url, retry=patient, retry_on_error=errors) as client:
        client.ping()


def test_pages_outlive_a_redis_that_dies_and_are_personal_again_once_it_is_back(
    trained_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(trained_home, home)
    settings = own_settings(home)
    member = champion_members(settings)[0]
    gateways: list[FeatureGateway] = []

    def open_reader() -> tuple[FeatureReader, str | None]:
        gateways.append(FeatureGateway.open(settings, url))
        return gateways[0], gateways[0].schema_hash()

    with running_redis(settings) as url:
        service = HomepageService(settings.bundles, open_reader)
        service.start(watch=False)
        ask = create_app(service).test_client().get
        path = f"/v1/members/{member}/homepage?country=KR"
        assert ask(path).get_json()["degraded"] == []
        kill_redis(url)
        answer = ask(path)
        assert answer.status_code == 200
        page = answer.get_json()
        assert page["degraded"] == ["features:cached"]
        assert "Top Picks for You" in [row["title"] for row in page["rows"][:2]]
        assert sum(len(row["tiles"]) for row in page["rows"]) >= 40
        assert ask("/readyz").get_json()["feature_store"] is False
        revive_redis(url, settings)
        assert ask(path).get_json()["degraded"] == []

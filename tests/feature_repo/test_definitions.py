"""The folder as a platform engineer uses it: Feast's own commands."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import redis
from feast.repo_operations import get_repo_files

from feature_repo import definitions, schema as s
from feature_repo.backfill import backfill
from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings
from feature_repo.store_profile import FEATURE_REPOSITORY
from feature_repo.transforms.ranking import RANKING_FEATURES

Feast = Callable[..., str]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Settings:
    """A home for all tests here: a start of Feast takes seconds."""
    home = tmp_path_factory.mktemp("home")
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return Settings(home, str(home / "lake"), redis_url)


@pytest.fixture(scope="module")
def feast(settings: Settings) -> Feast:
    """Run a Feast command in the folder, on the tests' own state, to which the definitions are applied."""

    def run(*arguments: str) -> str:
        command = [str(Path(sys.executable).with_name("feast")), "-f", "profiles/home.yaml", *arguments]
        environment = os.environ | {"MARQUEE_HOME": str(settings.home), "REDIS_URL": settings.redis_url or ""}
        done = subprocess.run(
            command, cwd=FEATURE_REPOSITORY, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("apply")
    return run


def test_feast_reads_one_file_and_finds_every_definition_through_it() -> None:
    assert [path.name for path in get_repo_files(FEATURE_REPOSITORY)] == ["definitions.py"]


def test_every_feature_table_has_a_view_with_exactly_its_columns() -> None:
    described = {
        view.name: {field.name for field in view.schema} | {s.EVENT_TIMESTAMP, s.CREATED_TIMESTAMP}
        for view in definitions.VIEWS
    }
    assert described == {t.name: {c.name for c in t.columns} for t in s.FEATURE_TABLES}


def test_the_on_demand_view_declares_the_rankers_columns_in_order() -> None:
    assert tuple(field.name for field in definitions.ranking.features) == RANKING_FEATURES


def test_apply_and_both_materializations_work_from_the_folder_before_any_training(
    feast: Feast, settings: Settings, make_rows: Callable[..., pa.Table]
) -> None:
    noon = datetime(2026, 3, 29, 12, tzinfo=UTC)
    lake = Lake(settings.lake)
    lake.replace(s.TITLES, make_rows(s.TITLES, [{s.TITLE_ID: "t1", s.EVENT_TIMESTAMP: noon}]))
    lake.replace(s.EVENTS, make_rows(s.EVENTS, [
        {s.USER_ID: "ann", s.TITLE_ID: "t1", s.EVENT_TYPE: "play", s.EVENT_TIMESTAMP: noon}
    ]))  # fmt: skip
    # She joined in 2020, as rows have it that name nothing else: long before what is in the log.
    lake.replace(s.MEMBERS, make_rows(s.MEMBERS, [{s.USER_ID: "ann", s.COUNTRY: "KR"}]))
    backfill(lake, noon, seed=0)
    assert "user_profile" in feast("feature-views", "list")
    feast("materialize", "1970-01-01T00:00:00", "2026-03-30T00:00:00")
    online = feast("get-online-features", "-e", "user_id=ann", "-f", "user_profile:country")
    assert "KR" in online
    feast("materialize-incremental", "2026-03-31T00:00:00")


@pytest.mark.usefixtures("feast")
def test_feasts_own_interface_shows_the_definitions(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("feast")), "-f", "profiles/home.yaml", "ui"]
    environment = os.environ | {"MARQUEE_HOME": str(settings.home), "REDIS_URL": settings.redis_url or ""}
    with subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        cwd=FEATURE_REPOSITORY, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        try:
            views = _answer_of(f"http://127.0.0.1:{port}/api/v1/feature_views?project=marquee", server)
        finally:
            server.terminate()
    assert "user_snapshot" in views


def _answer_of(url: str, server: subprocess.Popen[bytes]) -> str:
    """Ask until the server answers; fail when it ends first."""
    while server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    pytest.fail(f"feast ui ended with status {server.returncode}")

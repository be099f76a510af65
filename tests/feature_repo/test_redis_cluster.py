"""The same definitions and the same answers with the online store in a Redis Cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import redis

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.store_profile import FEATURE_REPOSITORY
from feature_repo.transforms.encoding import Arrays
from tests.feature_repo.own_cluster import OwnCluster, running_cluster

if TYPE_CHECKING:
    from tests.conftest import MakeRows

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MEMBERS = [f"m{number}" for number in range(12)]
TITLES = [f"t{number}" for number in range(12)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnCluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def on_cluster(settings: Settings, cluster: OwnCluster, monkeypatch: pytest.MonkeyPatch) -> FeatureGateway:
    """A gateway over an empty cluster."""
    for client in cluster.clients():
        client.flushall()
    monkeypatch.setenv("MARQUEE_REDIS_CLUSTER", cluster.addresses)
    opened = FeatureGateway.open(replace(settings, profile="redis_cluster"), read_seconds=0.5)
    opened.apply()
    return opened


@pytest.fixture
def filled(on_cluster: FeatureGateway, lake: Lake, make_rows: MakeRows) -> FeatureGateway:
    """Twelve members and twelve titles, online in the cluster; member and title i have a count of i."""
    for table in s.FEATURE_TABLES:
        ids = MEMBERS if table.keys[0] == s.USER_ID else TITLES
        pairs = zip(ids, TITLES, range(len(ids)), strict=True)
        counts = (s.WATCH_COUNT, s.VIEW_COUNT)
        rows = [
            {s.USER_ID: i, s.TITLE_ID: t, **dict.fromkeys(counts, n), s.EVENT_TIMESTAMP: NOON}
            for i, t, n in pairs
        ]
        lake.replace(table, make_rows(table, rows))
    on_cluster.materialize(NOON - HOUR, NOON)
    return on_cluster


def test_a_cluster_answers_what_one_redis_answers(
    filled: FeatureGateway, settings: Settings, cluster: OwnCluster
) -> None:
    plain = FeatureGateway.open(settings)
    plain.materialize(NOON - HOUR, NOON)
    for member in (*MEMBERS, "nobody"):
        assert_same(filled.member_features(member, NOON), plain.member_features(member, NOON))
    asked = [*TITLES, "missing"]
    assert_same(filled.title_snapshot(asked, NOON).columns, plain.title_snapshot(asked, NOON).columns)
    assert_same(filled.title_contents(asked, NOON), plain.title_contents(asked, NOON))
    assert filled.newest_rows() == plain.newest_rows()
    assert filled.title_snapshot(TITLES, NOON).columns[s.VIEW_COUNT].tolist() == list(range(12))
    held = [client.dbsize() for client in cluster.clients()]
    assert min(held) > 0
    assert sum(held) == 12 + 12 + 1  # a key for each member, for each title, and for the views' instants


def test_the_latest_row_stays_and_a_member_can_be_forgotten(
    filled: FeatureGateway, make_rows: MakeRows
) -> None:
    def write(at: datetime, count: int, **how: bool) -> None:
        row = {s.USER_ID: "m3", s.EVENT_TIMESTAMP: at, s.WATCH_COUNT: count}
        filled.write_online(s.USER_SNAPSHOT, make_rows(s.USER_SNAPSHOT, [row]), **how)

    write(NOON - HOUR, 30)
    assert filled.member_features("m3", NOON)[s.WATCH_COUNT].tolist() == [3.0]
    write(NOON + HOUR, 31)
    assert filled.member_features("m3", NOON + HOUR)[s.WATCH_COUNT].tolist() == [31.0]
    write(NOON, 32, overwrite=True)
    assert filled.member_features("m3", NOON)[s.WATCH_COUNT].tolist() == [32.0]
    assert filled.forget_member("m3")
    assert not filled.forget_member("m3")
    assert np.isnan(filled.member_features("m3", NOON)[s.WATCH_COUNT]).all()
    assert filled.member_features("m4", NOON)[s.WATCH_COUNT].tolist() == [4.0]


def test_forgetting_everything_empties_all_servers(filled: FeatureGateway, cluster: OwnCluster) -> None:
    filled.forget()
    assert [client.dbsize() for client in cluster.clients()] == [0, 0, 0]


def test_what_the_stream_keeps_stays_in_the_plain_redis(
    on_cluster: FeatureGateway, settings: Settings
) -> None:
    assert on_cluster.online_url == settings.redis_url


def test_a_server_that_hangs_fails_the_reads_of_its_members_only(
    filled: FeatureGateway, cluster: OwnCluster
) -> None:
    holder = {member: _holder(cluster, member) for member in MEMBERS}
    hanging = holder["m0"]
    elsewhere = next(member for member in MEMBERS if holder[member] != hanging)
    filled.member_features("m0", NOON)
    cluster.servers[hanging].send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(redis.exceptions.RedisError):
            filled.member_features("m0", NOON)
        count = filled.member_features(elsewhere, NOON)[s.WATCH_COUNT]
    finally:
        cluster.servers[hanging].send_signal(signal.SIGCONT)
    assert count.tolist() == [float(MEMBERS.index(elsewhere))]
    assert filled.member_features("m0", NOON)[s.WATCH_COUNT].tolist() == [0.0]


def test_feasts_own_commands_work_on_the_cluster(filled: FeatureGateway, settings: Settings) -> None:
    command = [str(Path(sys.executable).with_name("feast")), "-f", "profiles/redis_cluster.yaml"]
    asked = ["get-online-features", "-e", "user_id=m7", "-f", "user_snapshot:watch_count"]
    environment = os.environ | {"MARQUEE_HOME": str(settings.home), "MARQUEE_LAKE": settings.lake}
    done = subprocess.run(
        [*command, *asked],
        cwd=FEATURE_REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"watch_count": [\n        7\n' in done.stdout.replace("7.0", "7"), done.stdout


def assert_same(one: Arrays, other: Arrays) -> None:
    assert one.keys() == other.keys()
    for name, column in one.items():
        np.testing.assert_array_equal(column, other[name], err_msg=name)


def _holder(cluster: OwnCluster, member: str) -> int:
    """Return which server holds a member's rows."""
    end = f"{member}marquee".encode()
    held = [[key.endswith(end) for key in client.scan_iter()] for client in cluster.clients()]
    return next(place for place, found in enumerate(held) if any(found))

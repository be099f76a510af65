"""The desk that takes in deletions, with a real Redis and lake and without the rest of a server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import redis

from feature_repo import schema as s
from feature_repo.arrivals import NotTakenInError
from feature_repo.deletion.kept import KeptDeletions
from feature_repo.deletion.tombstones import DeletedMembers
from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.stream.redis_log import RedisEventLog
from serving.deletions import DeletionDesk, MemberTraces
from tests.conftest import MakeRows

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = timedelta(hours=1)
Desk = Callable[..., DeletionDesk]


@pytest.fixture
def client(settings: Settings) -> Any:
    return redis.Redis.from_url(str(settings.redis_url))


@pytest.fixture
def desk(settings: Settings, client: Any, gateway: FeatureGateway, lake: Lake) -> Desk:
    """What makes the desk of one more worker, whose clock shows noon and some more."""
    log = RedisEventLog.open(str(settings.redis_url))

    def worker(after: timedelta = timedelta(0)) -> DeletionDesk:
        traces = MemberTraces(gateway, lake, lambda: log, lambda _user_id: 0)
        return DeletionDesk(client, DeletedMembers(client), traces, lambda: NOON + after, LATER)

    return worker


def test_every_worker_is_told_in_the_background_and_once_more_for_what_was_being_read(desk: Desk) -> None:
    """The worker that takes a deletion in is told at once; another one by its next looks."""
    first, second = desk(), desk()
    told: Queue[list[str]] = Queue()
    known = ["ana", "kim"]
    first.also_forget(lambda gone: told.put([one for one in known if gone(one)]))
    first.request("ana")
    assert told.get_nowait() == ["ana"]
    second.also_forget(lambda gone: told.put([one for one in known if gone(one)]))
    second.start()
    assert [told.get(timeout=60), told.get(timeout=60)] == [["ana"], ["ana"]]
    second.stop()
    assert told.empty()
    second.follow()
    assert told.empty()


def test_a_member_stays_deleted_though_redis_loses_everything_before_the_lake_was_gone_over(
    desk: Desk, client: Any, lake: Lake, make_rows: MakeRows
) -> None:
    lake.replace(s.MEMBERS, make_rows(s.MEMBERS, [{s.USER_ID: "ana"}, {s.USER_ID: "kim"}]))
    asked = desk().request("ana")
    client.flushall()
    worker = desk(after=LATER)
    worker.recall()
    assert worker.deleted.is_deleted("ana")
    assert worker.deletion(asked.deletion_id).state == "pending"
    assert worker.work() == 1
    assert worker.deletion(asked.deletion_id).state == "done"
    assert lake.read(s.MEMBERS, [s.USER_ID])[s.USER_ID].to_pylist() == ["kim"]
    client.flushall()
    worker.recall()
    assert worker.deleted.is_deleted("ana")
    assert worker.work() == 0


def test_a_deletion_just_after_redis_lost_everything_hides_none_of_those_before(
    desk: Desk, client: Any
) -> None:
    worker, other = desk(), desk()
    for user in ("ana", "kim"):
        worker.request(user)
    client.flushall()
    other.request("bob")
    assert [other.deleted.is_deleted(user) for user in ("ana", "kim", "bob")] == [True, True, True]


def test_a_deletion_that_the_lake_cannot_keep_is_refused_and_nothing_of_it_is_done(
    desk: Desk, client: Any, lake: Lake
) -> None:
    worker = desk()
    worker.recall()
    Path(lake.root).mkdir(exist_ok=True)
    Path(lake.root, "_staging").write_text("no folder, so that nothing can be staged, not even by root")
    before = set(client.scan_iter())
    with pytest.raises(NotTakenInError, match=r"nothing was taken in: make room .* send it again"):
        worker.request("ana")
    assert set(client.scan_iter()) == before
    assert list(KeptDeletions(lake).all()) == []


def test_a_deletion_that_redis_cannot_take_is_not_carried_out_some_day(
    desk: Desk, client: Any, lake: Lake
) -> None:
    worker = desk()
    worker.recall()
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    try:
        with pytest.raises(redis.exceptions.RedisError):
            worker.request("ana")
    finally:
        client.config_set("maxmemory", "0")
    assert list(KeptDeletions(lake).all()) == []

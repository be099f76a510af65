from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
import redis

from feature_repo.settings import Settings
from feature_repo.stream.event_log import EventLogError, Lag, LogRecord
from feature_repo.stream.redis_log import LAG_CAP, RedisEventLog


@pytest.fixture
def client(settings: Settings) -> Iterator[Any]:
    with redis.Redis.from_url(str(settings.redis_url)) as opened:
        yield opened


@pytest.fixture
def log(settings: Settings) -> Iterator[RedisEventLog]:
    with closing(RedisEventLog.open(str(settings.redis_url), 1, retention=timedelta(hours=1))) as opened:
        yield opened


def put_long_ago(client: Any, entries: int, ago: timedelta) -> None:
    """Put entries into partition 0 as if they had been appended so long ago by Redis's clock."""
    at_ms = client.time()[0] * 1000 - ago // timedelta(milliseconds=1)
    with client.pipeline() as pipeline:
        for number in range(1, entries + 1):
            pipeline.xadd("marquee:events:0", {"e": b"old"}, id=f"{at_ms}-{number}")
        pipeline.execute()


def test_another_number_of_partitions_is_refused_with_the_remedy(settings: Settings, client: Any) -> None:
    url = str(settings.redis_url)
    RedisEventLog.open(url, 8).close()
    with pytest.raises(EventLogError, match=r"partitions = 4: .* has 8.*; open it with 8, or empty"):
        RedisEventLog.open(url, 4)
    RedisEventLog.open(url, 8).close()
    RedisEventLog.open(url, 4, name="another").close()
    client.delete(*client.keys("marquee:events:*"))
    assert RedisEventLog.open(url, 4).partitions == 4


def test_no_partitions_at_all_are_refused(settings: Settings) -> None:
    with pytest.raises(EventLogError, match="partitions = 0: use 1 or more"):
        RedisEventLog.open(str(settings.redis_url), 0)


def test_without_redis_it_fails_and_says_so() -> None:
    with pytest.raises(EventLogError, match="failed to open marquee:events"):
        RedisEventLog.open("redis://127.0.0.1:1")


def test_an_append_that_redis_refuses_raises(log: RedisEventLog, client: Any) -> None:
    client.set("marquee:events:0", "no stream")
    with pytest.raises(EventLogError, match=r"failed to append 2 records: .*WRONGTYPE"):
        log.append([LogRecord("a", b"1"), LogRecord("b", b"2")])


def test_entries_past_retention_are_forgotten_as_new_ones_come_in(log: RedisEventLog, client: Any) -> None:
    put_long_ago(client, 250, timedelta(hours=2))
    log.append([LogRecord("a", b"new")])
    log.append([LogRecord("a", b"newer")])
    kept = [entry.value for entry in log.read(0, None, 1000)]
    assert kept[-2:] == [b"new", b"newer"]
    assert len(kept) < 150  # nodes of 100 entries go as a whole


def test_entries_within_retention_are_kept(log: RedisEventLog, client: Any) -> None:
    put_long_ago(client, 250, timedelta(minutes=30))
    log.append([LogRecord("a", b"new")])
    log.append([LogRecord("a", b"newer")])
    assert len(log.read(0, None, 1000)) == 252


def test_lag_tells_the_age_of_the_oldest_by_the_clock_of_redis(log: RedisEventLog, client: Any) -> None:
    put_long_ago(client, 3, timedelta(seconds=600))
    found = log.lag("group", 0)
    assert (found.events, found.capped) == (3, False)
    assert 599 < found.seconds < 700


def test_a_long_lag_is_counted_to_the_cap_and_says_so(log: RedisEventLog, client: Any) -> None:
    put_long_ago(client, LAG_CAP, timedelta(minutes=1))
    assert (log.lag("group", 0).events, log.lag("group", 0).capped) == (LAG_CAP, False)
    log.append([LogRecord("a", b"one more")])
    assert (log.lag("group", 0).events, log.lag("group", 0).capped) == (LAG_CAP, True)
    log.commit("group", 0, log.read(0, None, LAG_CAP + 1)[-1].position)
    assert log.lag("group", 0) == Lag(0, 0.0)


def test_a_group_may_commit_before_anything_was_appended(log: RedisEventLog) -> None:
    log.commit("group", 0, "5-0")
    log.commit("group", 0, "7-0")
    assert log.committed("group", 0) == "7-0"


def test_a_waiting_read_waits_in_redis_instead_of_asking_again_and_again(
    log: RedisEventLog, client: Any
) -> None:
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(log.read, 0, None, 10, timedelta(seconds=60))
        waited = any(client.info("clients")["blocked_clients"] for _ in range(5_000))
        log.append([LogRecord("a", b"new")])
        assert [entry.value for entry in reading.result()] == [b"new"]
    assert waited

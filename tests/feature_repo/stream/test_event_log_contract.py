"""What every event log does, held against each: Redis for real, Kafka's protocol over the wire."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from feature_repo.stream.event_log import EventLog, EventLogError, Lag, LogEntry, LogRecord, partition_of
from feature_repo.stream.kafka_log import KafkaEventLog
from feature_repo.stream.redis_log import RedisEventLog

PARTITIONS = 4
PATIENCE = timedelta(seconds=60)

by_time = pytest.mark.parametrize(
    "place",
    [
        "redis",
        pytest.param("kafka", marks=pytest.mark.skip(reason="librdkafka's mock finds no offsets by time")),
    ],
    indirect=True,
)
trimming = pytest.mark.parametrize(
    "place",
    [
        "redis",
        pytest.param("kafka", marks=pytest.mark.skip(reason="librdkafka's mock has no DeleteRecords")),
    ],
    indirect=True,
)


@dataclass
class Place:
    """Somewhere a log is kept; each ``open`` connects anew, as another process would."""

    connect: Callable[[], EventLog]
    stack: ExitStack = field(default_factory=ExitStack)

    def open(self) -> EventLog:
        return self.stack.enter_context(closing(self.connect()))


@pytest.fixture(params=["redis", "kafka"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    name = f"events-{uuid4().hex}"
    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
        found = Place(lambda: RedisEventLog.open(url, PARTITIONS, name=name))
    else:
        cluster: Any = request.getfixturevalue("kafka_cluster")
        cluster.make_topic(name)
        found = Place(lambda: KafkaEventLog.open(cluster.address, name, PARTITIONS))
    with found.stack:
        yield found


@pytest.fixture
def log(place: Place) -> EventLog:
    return place.open()


def member_of(partition: int, nth: int = 0) -> str:
    """Return a member whose events go to this partition."""
    keys = (f"m{number}" for number in range(10_000))
    return [key for key in keys if partition_of(key, PARTITIONS) == partition][nth]


def put(log: EventLog, partition: int, *values: str) -> None:
    log.append([LogRecord(member_of(partition), value.encode()) for value in values])


def values(entries: list[LogEntry]) -> list[str]:
    return [entry.value.decode() for entry in entries]


def put_later(log: EventLog, partition: int, value: str, than: LogEntry) -> LogEntry:
    """Append until an entry comes out at a later millisecond of the log's own clock; return that entry."""
    while True:
        put(log, partition, value)
        last = log.read(partition, None, 100_000)[-1]
        if last.appended_at_ms > than.appended_at_ms:
            return last


def instant(epoch_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=epoch_ms)


@pytest.mark.parametrize(
    ("key", "crc"),
    [
        # The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRCs, and known strings.
        ("123456789", 0xCBF43926),
        ("The quick brown fox jumps over the lazy dog", 0x414FA339),
        ("abc", 0x352441C2),
        ("", 0),
    ],
)
def test_a_partition_is_the_crc32_of_the_key(key: str, crc: int) -> None:
    assert [partition_of(key, n) for n in (1, 4, 8, 1000)] == [crc % n for n in (1, 4, 8, 1000)]


def test_an_empty_log_has_nothing_to_tell(log: EventLog) -> None:
    assert log.partitions == PARTITIONS
    for partition in range(PARTITIONS):
        assert log.read(partition, None, 10) == []
        assert log.committed("group", partition) is None
        assert log.lag("group", partition) == Lag(0, 0.0)
        assert log.position_at(partition, datetime.now(UTC)) is None
    log.append([])
    assert log.read(0, None, 10) == []


def test_a_partition_keeps_the_order_of_appends_and_within_them(log: EventLog) -> None:
    put(log, 2, "a", "b")
    put(log, 2, "c")
    entries = log.read(2, None, 10)
    assert values(entries) == ["a", "b", "c"]
    assert len({entry.position for entry in entries}) == 3
    assert [entry.appended_at_ms for entry in entries] == sorted(entry.appended_at_ms for entry in entries)


def test_a_member_has_one_partition_and_others_have_theirs(log: EventLog) -> None:
    log.append([LogRecord(member_of(number % 4), f"{number}".encode()) for number in range(8)])
    log.append([LogRecord(member_of(3), b"again")])
    assert [values(log.read(partition, None, 10)) for partition in range(4)] == [
        ["0", "4"], ["1", "5"], ["2", "6"], ["3", "7", "again"],
    ]  # fmt: skip


def test_reading_goes_on_strictly_after_a_position_and_stops_at_the_limit(log: EventLog) -> None:
    put(log, 1, *"abcde")
    first = log.read(1, None, 2)
    second = log.read(1, first[-1].position, 2)
    assert values(first + second) == ["a", "b", "c", "d"]
    assert values(log.read(1, second[-1].position, 2)) == ["e"]
    assert values(log.read(1, first[0].position, 10)) == ["b", "c", "d", "e"]
    assert values(log.read(1, None, 10)) == ["a", "b", "c", "d", "e"]
    last = log.read(1, None, 10)[-1]
    assert log.read(1, last.position, 10) == []


def test_any_bytes_come_back_as_they_were(log: EventLog) -> None:
    sent = ["漢字 🎬 é".encode(), bytes(range(256)), b"", b"\r\n\x00", b"x" * 200_000]
    log.append([LogRecord("çelik/🎬", value) for value in sent])
    partition = partition_of("çelik/🎬", PARTITIONS)
    assert [entry.value for entry in log.read(partition, None, 10)] == sent


def test_a_thousand_records_in_one_append_all_arrive_in_order(log: EventLog) -> None:
    records = [LogRecord(f"m{number % 50}", f"{number}".encode()) for number in range(1000)]
    log.append(records)
    for partition in range(PARTITIONS):
        expected = [r.value for r in records if partition_of(r.key, PARTITIONS) == partition]
        assert len(expected) > 100
        assert [entry.value for entry in log.read(partition, None, 1000)] == expected


def test_what_was_appended_is_there_after_reopening(place: Place) -> None:
    first = place.connect()
    put(first, 0, "a", "b")
    first.close()
    second = place.open()
    put(second, 0, "c")
    assert values(second.read(0, None, 10)) == ["a", "b", "c"]


def test_a_committed_position_outlives_the_process_that_committed_it(place: Place) -> None:
    first = place.connect()
    put(first, 0, "a", "b", "c")
    first.commit("group", 0, first.read(0, None, 2)[-1].position)
    first.close()
    second = place.open()
    assert values(second.read(0, second.committed("group", 0), 10)) == ["c"]


def test_groups_and_partitions_have_positions_of_their_own(log: EventLog) -> None:
    put(log, 0, "a", "b")
    put(log, 1, "c")
    positions = [entry.position for entry in log.read(0, None, 10)]
    log.commit("one", 0, positions[1])
    log.commit("two", 0, positions[0])
    assert [log.committed(group, 0) for group in ("one", "two", "three")] == [
        positions[1],
        positions[0],
        None,
    ]
    assert log.committed("one", 1) is None


def test_a_group_can_go_back_and_replay(log: EventLog) -> None:
    put(log, 0, "a", "b", "c")
    positions = [entry.position for entry in log.read(0, None, 10)]
    log.commit("group", 0, positions[2])
    log.commit("group", 0, positions[0])
    assert log.committed("group", 0) == positions[0]
    assert values(log.read(0, log.committed("group", 0), 10)) == ["b", "c"]


def test_lag_counts_what_follows_the_committed_position(log: EventLog) -> None:
    put(log, 0, "a", "b", "c")
    positions = [entry.position for entry in log.read(0, None, 10)]
    assert log.lag("group", 0).events == 3
    log.commit("group", 0, positions[0])
    behind = log.lag("group", 0)
    assert (behind.events, behind.capped) == (2, False)
    assert 0 <= behind.seconds < PATIENCE.total_seconds()
    assert log.lag("another", 0).events == 3
    log.commit("group", 0, positions[2])
    assert log.lag("group", 0) == Lag(0, 0.0)
    # Asking for it has moved no reader.
    assert log.read(0, positions[2], 10) == []
    put(log, 0, "d")
    assert values(log.read(0, positions[2], 10)) == ["d"]


def test_a_waiting_read_returns_with_what_is_appended_meanwhile(place: Place) -> None:
    reader, writer = place.open(), place.open()
    put(writer, 0, "old")
    after = reader.read(0, None, 10)[-1].position
    about_to_read = threading.Event()

    def wait() -> list[LogEntry]:
        about_to_read.set()
        return reader.read(0, after, 10, wait=PATIENCE)

    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(wait)
        about_to_read.wait()
        put(writer, 1, "of another partition")
        put(writer, 0, "new")
        assert values(reading.result()) == ["new"]


def test_a_read_waits_no_longer_than_told_and_not_at_all_for_what_is_there(log: EventLog) -> None:
    assert log.read(0, None, 10, wait=timedelta(milliseconds=30)) == []
    put(log, 0, "a")
    assert values(log.read(0, None, 10, wait=PATIENCE)) == ["a"]


def test_several_threads_may_append_at_once(log: EventLog) -> None:
    def write(thread: int) -> None:
        for number in range(20):
            put(log, 0, f"{thread}-{number}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    found = values(log.read(0, None, 1000))
    for thread in range(4):
        assert [v for v in found if v.startswith(f"{thread}-")] == [f"{thread}-{n}" for n in range(20)]
    assert len(found) == 80


@by_time
def test_a_replay_from_an_instant_begins_with_what_was_appended_then(log: EventLog) -> None:
    put(log, 0, "a", "b")
    old = log.read(0, None, 10)[-1]
    new = put_later(log, 0, "c", than=old)
    position = log.position_at(0, instant(new.appended_at_ms))
    replayed = log.read(0, position, 100_000)
    assert replayed[0].appended_at_ms == new.appended_at_ms
    kept = log.read(0, None, 100_000)
    assert [e for e in kept if e not in replayed] == [
        e for e in kept if e.appended_at_ms < new.appended_at_ms
    ]
    assert log.position_at(0, instant(new.appended_at_ms + 1)) == kept[-1].position
    assert log.position_at(0, instant(kept[0].appended_at_ms)) is None
    assert log.position_at(0, instant(-1)) is None


@trimming
def test_trimming_forgets_what_is_older_and_nothing_else(log: EventLog) -> None:
    put(log, 0, "a", "b")
    put(log, 1, "other")
    old = log.read(0, None, 10)[-1]
    new = put_later(log, 0, "c", than=old)
    kept = [e for e in log.read(0, None, 100_000) if e.appended_at_ms >= new.appended_at_ms]
    log.commit("group", 0, old.position)
    log.trim(instant(new.appended_at_ms))
    assert log.read(0, None, 100_000) == kept
    assert log.read(0, log.committed("group", 0), 100_000) == kept
    assert log.lag("group", 0).events == log.lag("newcomer", 0).events == len(kept)
    log.trim(instant(new.appended_at_ms + 86_400_000))
    assert log.read(0, None, 10) == log.read(1, None, 10) == []
    put(log, 0, "d")
    assert values(log.read(0, new.position, 10)) == ["d"]


@pytest.mark.parametrize("partition", [-1, PARTITIONS])
def test_a_partition_that_is_not_there_is_refused(log: EventLog, partition: int) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: log.read(partition, None, 1),
        lambda: log.commit("group", partition, "0"),
        lambda: log.committed("group", partition),
        lambda: log.lag("group", partition),
        lambda: log.position_at(partition, datetime.now(UTC)),
    ]
    for call in calls:
        with pytest.raises(EventLogError, match=f"partition = {partition}: use 0 to 3"):
            call()


def test_a_position_of_another_kind_is_refused_by_its_name(log: EventLog) -> None:
    with pytest.raises(EventLogError, match="yesterday"):
        log.read(0, "yesterday", 1)
    with pytest.raises(EventLogError, match="yesterday"):
        log.commit("group", 0, "yesterday")

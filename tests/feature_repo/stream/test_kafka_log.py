from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from feature_repo.stream.event_log import EventLogError, LogRecord, partition_of
from feature_repo.stream.kafka_log import KafkaEventLog


@pytest.fixture
def topic(kafka_cluster: Any) -> str:
    name = f"events-{uuid4().hex}"
    kafka_cluster.make_topic(name)
    return name


@pytest.fixture
def log(kafka_cluster: Any, topic: str) -> Iterator[KafkaEventLog]:
    with closing(KafkaEventLog.open(kafka_cluster.address, topic, 4)) as opened:
        yield opened


def test_without_confluent_kafka_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    monkeypatch.setitem(sys.modules, "confluent_kafka.admin", None)
    with pytest.raises(EventLogError, match=r'pip install "marquee\[kafka\]"'):
        KafkaEventLog.open("127.0.0.1:1")


def test_another_number_of_partitions_is_refused_with_the_remedy(kafka_cluster: Any, topic: str) -> None:
    with pytest.raises(EventLogError, match=f"partitions = 8: the topic {topic} has 4.*; open it with 4, or"):
        KafkaEventLog.open(kafka_cluster.address, topic, 8)


def test_no_partitions_at_all_are_refused(kafka_cluster: Any, topic: str) -> None:
    with pytest.raises(EventLogError, match="partitions = 0: use 1 or more"):
        KafkaEventLog.open(kafka_cluster.address, topic, 0)


def test_without_a_broker_it_fails_and_says_so() -> None:
    with pytest.raises(EventLogError, match=r"topic marquee-events\) failed to open"):
        KafkaEventLog.open("127.0.0.1:1", patience=timedelta(seconds=0.2))


def test_a_topic_that_cannot_be_created_is_an_error(kafka_cluster: Any) -> None:
    with pytest.raises(EventLogError, match=r"topic nowhere\) failed to open"):
        KafkaEventLog.open(kafka_cluster.address, "nowhere", 4, patience=timedelta(seconds=0.2))


def test_an_append_raises_where_one_record_was_not_kept(log: KafkaEventLog) -> None:
    too_large = b"x" * 2_000_000
    with pytest.raises(EventLogError, match=r"kept 2 of 3 records; .* too large"):
        log.append([LogRecord("a", b"1"), LogRecord("a", too_large), LogRecord("a", b"2")])
    assert [entry.value for entry in log.read(partition_of("a", 4), None, 10)] == [b"1", b"2"]


def test_a_member_has_the_partition_that_other_producers_of_kafka_give_them(
    kafka_cluster: Any, topic: str, log: KafkaEventLog
) -> None:
    members = ["m000001", "zoe", "ana", "漢字", "x" * 128]
    producer = Producer({"bootstrap.servers": kafka_cluster.address, "partitioner": "consistent"})
    for member in members:
        producer.produce(topic, b"theirs", member.encode())
    assert producer.flush(20) == 0
    log.append([LogRecord(member, b"ours") for member in members])
    for partition in range(4):
        found = [entry.value for entry in log.read(partition, None, 100)]
        assert found.count(b"theirs") == found.count(b"ours")


def test_lag_tells_the_age_of_the_oldest_by_the_clock_passed_in(kafka_cluster: Any, topic: str) -> None:
    time = [0.0]
    with closing(KafkaEventLog.open(kafka_cluster.address, topic, 4, clock=lambda: time[0])) as log:
        log.append([LogRecord("a", b"1")])
        partition = partition_of("a", 4)
        entry = log.read(partition, None, 1)[0]
        time[0] = entry.appended_at_ms / 1e3 + 5
        assert log.lag("group", partition).seconds == pytest.approx(5, abs=0.001)
        log.commit("group", partition, entry.position)
        assert log.lag("group", partition).seconds == 0


def test_what_the_broker_cannot_do_is_said(log: KafkaEventLog) -> None:
    with pytest.raises(EventLogError, match=r"failed to trim before 2026-03-01.*not supported"):
        log.trim(datetime(2026, 3, 1, tzinfo=UTC))


def test_a_position_past_the_end_is_of_another_topic_and_refused(log: KafkaEventLog) -> None:
    log.append([LogRecord("a", b"1")])
    with pytest.raises(EventLogError, match=r"position 7: partition \d of .* ends at 0"):
        log.read(partition_of("a", 4), "7", 10)

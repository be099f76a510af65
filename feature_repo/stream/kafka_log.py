"""The event log in Kafka, by confluent-kafka (the extra ``marquee[kafka]``), imported when one is opened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any, Final

from feature_repo.stream.event_log import (
    PARTITIONS,
    EventLogError,
    Lag,
    LogEntry,
    LogRecord,
    Position,
    epoch_milliseconds,
    partition_of,
    require_partition,
)
from feature_repo.stream.kafka_partition import Deliveries, PartitionReader

TOPIC: Final = "marquee-events"
RETENTION: Final = timedelta(days=7)
PATIENCE: Final = timedelta(seconds=10)
"""A broker that says nothing for so long is away."""
_PAUSE_SECONDS: Final = 0.01


class KafkaEventLog:
    """A topic. A position is an entry's offset.

    The topic's settings say how long entries are kept and whether their time is the broker's; a topic that
    this class creates keeps them for ``retention``, by the broker's time. One consumer per partition reads,
    by ``assign``; one more looks up ages, so that the first keeps its place; one per group keeps its
    positions, and joins nothing. Threads may share a log; reads of one partition wait for each other.

    librdkafka's mock cluster, which the tests use, neither creates topics by request, nor deletes records,
    nor finds offsets by time: creation, :meth:`trim` and :meth:`position_at` are untested without a broker.
    """

    def __init__(
        self, kafka: ModuleType, servers: str, topic: str, clock: Callable[[], float], patience: timedelta
    ) -> None:
        self._kafka, self._topic, self._clock = kafka, topic, clock
        self._seconds = patience.total_seconds()
        # What goes wrong is raised; librdkafka would write it to the terminal as well, many times a second.
        self._shared = {"bootstrap.servers": servers, "log_level": 2}
        self._admin = kafka.admin.AdminClient(self._shared)
        self._producer = self._new_producer()
        self._partitions = 0
        self._lock = threading.Lock()
        self._readers: dict[tuple[int, str], PartitionReader] = {}
        self._groups: dict[str, Any] = {}

    def _new_producer(self) -> Any:
        durable = {"acks": "all", "enable.idempotence": True, "delivery.timeout.ms": int(self._seconds * 1e3)}
        return self._kafka.Producer(self._shared | durable | {"linger.ms": 1})

    @classmethod
    def open(
        cls,
        bootstrap_servers: str,
        topic: str = TOPIC,
        partitions: int = PARTITIONS,
        retention: timedelta = RETENTION,
        replicas: int | None = None,
        clock: Callable[[], float] = time.time,
        patience: timedelta = PATIENCE,
    ) -> KafkaEventLog:
        """Connect; a topic that is missing is created, with ``replicas`` copies (None: as the broker likes).

        ``clock`` gives seconds since 1970 UTC, to tell the age of entries; a broker that says nothing for
        ``patience`` is away. Raises :class:`EventLogError` where confluent-kafka or the broker is missing, or
        the topic has another number of partitions.
        """
        if partitions < 1:
            raise EventLogError(f"partitions = {partitions}: use 1 or more")
        log = cls(_confluent_kafka(), bootstrap_servers, topic, clock, patience)
        with log._answering("open"):
            kept = log._count_partitions() or log._create(partitions, retention, replicas)
        if kept != partitions:
            raise EventLogError(
                f"partitions = {partitions}: the topic {topic} has {kept}, and members would change theirs; "
                f"open it with {kept}, or name another topic"
            )
        log._partitions = kept
        return log

    def _count_partitions(self) -> int:
        # Asked for by name, a missing topic would be made by many a broker, with a number of its own.
        found = self._admin.list_topics(timeout=self._seconds).topics.get(self._topic)
        return len(found.partitions) if found is not None else 0

    def _create(self, partitions: int, retention: timedelta, replicas: int | None) -> int:
        settings = {
            "message.timestamp.type": "LogAppendTime",
            "retention.ms": str(retention // timedelta(milliseconds=1)),
        }
        wanted = self._kafka.admin.NewTopic(
            self._topic, partitions, -1 if replicas is None else replicas, config=settings
        )
        created = self._admin.create_topics(
            [wanted], operation_timeout=self._seconds, request_timeout=self._seconds
        )
        try:
            created[self._topic].result()
        except self._kafka.KafkaException as error:
            if error.args[0].code() != self._kafka.KafkaError.TOPIC_ALREADY_EXISTS:
                raise
            return self._count_partitions()  # another process was quicker
        return partitions

    @property
    def partitions(self) -> int:
        """How many partitions there are."""
        return self._partitions

    def append(self, records: Sequence[LogRecord]) -> None:
        """Keep the records on all replicas in step.

        Raises :class:`EventLogError` with the first reason where one was not kept; others may have been.
        """
        deliveries, producer = Deliveries(len(records)), self._producer
        for record in records:
            partition = partition_of(record.key, self._partitions)
            self._produce(producer, partition, record, deliveries)
        while not deliveries.complete:
            producer.poll(0.05)
        if deliveries.fatal:
            self._producer = self._new_producer()
        if deliveries.failures:
            kept = len(records) - len(deliveries.failures)
            raise EventLogError(
                f"the event log in Kafka (topic {self._topic}) kept {kept} of {len(records)} records; "
                f"the first of the others failed with: {deliveries.failures[0]}"
            )

    def _produce(self, producer: Any, partition: int, record: LogRecord, deliveries: Deliveries) -> None:
        while True:
            try:
                producer.produce(
                    self._topic, record.value, record.key.encode(), partition, on_delivery=deliveries.report
                )
                return
            except BufferError:  # the queue is full: let it drain
                producer.poll(0.05)
            except self._kafka.KafkaException as error:  # such as a value larger than the broker takes
                deliveries.report(error.args[0], None)
                return

    def read(
        self, partition: int, after: Position | None, limit: int, wait: timedelta = timedelta(0)
    ) -> list[LogEntry]:
        """Return entries after a position; see :class:`~feature_repo.stream.event_log.EventLog`."""
        with self._answering(f"read partition {partition} after {after}"):
            return self._reader(partition).read(_next_offset(after), limit, wait.total_seconds())

    def read_each(
        self, after: Mapping[int, Position | None], limit: int, wait: timedelta = timedelta(0)
    ) -> dict[int, list[LogEntry]]:
        """Return entries of several partitions, each of which is asked in turn."""
        end = time.monotonic() + wait.total_seconds()
        while True:
            found = {
                partition: self.read(partition, position, limit) for partition, position in after.items()
            }
            found = {partition: entries for partition, entries in found.items() if entries}
            left = end - time.monotonic()
            if found or left <= 0:
                return found
            time.sleep(min(left, _PAUSE_SECONDS))

    def _reader(self, partition: int, purpose: str = "read") -> PartitionReader:
        require_partition(partition, self._partitions)
        with self._lock:
            if (partition, purpose) not in self._readers:
                consumer = self._consumer("marquee-reader")  # commits nothing; Kafka wants a name
                reader = PartitionReader(self._kafka, consumer, self._topic, partition, self._seconds)
                self._readers[partition, purpose] = reader
            return self._readers[partition, purpose]

    def _group(self, group: str) -> Any:
        with self._lock:
            if group not in self._groups:
                self._groups[group] = self._consumer(group)
            return self._groups[group]

    def _consumer(self, group: str) -> Any:
        return self._kafka.Consumer(
            self._shared
            | {
                "group.id": group, "enable.auto.commit": False, "enable.auto.offset.store": False,
                # The oldest kept, where retention has overtaken a position.
                "auto.offset.reset": "earliest",
                # A fetch under way holds back the one for another position.
                "fetch.wait.max.ms": 100, "topic.metadata.refresh.interval.ms": 60_000,
            }
        )  # fmt: skip

    def commit(self, group: str, partition: int, position: Position) -> None:
        """Set the group's position, in Kafka as the offset that it would read next."""
        require_partition(partition, self._partitions)
        with self._answering(f"commit {position} of partition {partition} for {group}"):
            offset = self._kafka.TopicPartition(self._topic, partition, _next_offset(position))
            for kept in self._group(group).commit(offsets=[offset], asynchronous=False):
                if kept.error is not None:
                    raise self._kafka.KafkaException(kept.error)

    def committed(self, group: str, partition: int) -> Position | None:
        """Return the group's position."""
        require_partition(partition, self._partitions)
        with self._answering(f"read the position of {group} in partition {partition}"):
            asked = self._kafka.TopicPartition(self._topic, partition)
            found = self._group(group).committed([asked], timeout=self._seconds)[0]
            if found.error is not None:
                raise self._kafka.KafkaException(found.error)
        return None if found.offset < 0 else str(found.offset - 1)

    def position_at(self, partition: int, instant: datetime) -> Position | None:
        """Return the last position before an instant, by the time that the topic's settings give entries."""
        with self._answering(f"find {instant.isoformat()} in partition {partition}"):
            low, offset = self._reader(partition).first_since(epoch_milliseconds(instant))
        return None if offset <= low else str(offset - 1)

    def lag(self, group: str, partition: int) -> Lag:
        """Return how far the group is behind, to the entry."""
        committed = self.committed(group, partition)
        with self._answering(f"count partition {partition} after {committed}"):
            events, appended_at_ms = self._reader(partition, "lag").remaining(_next_offset(committed))
        age = self._clock() - appended_at_ms / 1e3 if events else 0.0
        return Lag(events, max(0.0, age))

    def trim(self, before: datetime) -> None:
        """Forget what was appended before an instant."""
        until = epoch_milliseconds(before)
        with self._answering(f"trim before {before.isoformat()}"):
            firsts = [self._reader(partition).first_since(until)[1] for partition in range(self._partitions)]
            ends = [self._kafka.TopicPartition(self._topic, *end) for end in enumerate(firsts)]
            for trimmed in self._admin.delete_records(ends, request_timeout=self._seconds).values():
                trimmed.result()

    def forget(self, key: str, until_ms: int) -> int:  # noqa: ARG002  (nothing can be done about them)
        """Remove nothing: Kafka forgets whole segments by their age alone."""
        return 0

    def close(self) -> None:
        """Close the connections."""
        for reader in self._readers.values():
            reader.close()
        for consumer in self._groups.values():
            consumer.close()
        self._producer.flush(self._seconds)

    @contextmanager
    def _answering(self, asked: str) -> Iterator[None]:
        try:
            yield
        except self._kafka.KafkaException as error:
            raise EventLogError(
                f"the event log in Kafka (topic {self._topic}) failed to {asked}: {error.args[0].str()}"
            ) from error


def _confluent_kafka() -> ModuleType:
    try:
        import confluent_kafka.admin  # noqa: PLC0415  (an extra; only wanted where a log is in Kafka)
    except ImportError as error:
        raise EventLogError(
            'an event log in Kafka needs confluent-kafka: pip install "marquee[kafka]"'
        ) from error
    kafka: ModuleType = confluent_kafka
    return kafka


def _next_offset(after: Position | None) -> int:
    try:
        return 0 if after is None else int(after) + 1
    except ValueError:
        raise EventLogError(f"position {after!r}: is none of this log's; use one that it gave") from None

"""One partition of a topic as a log is read: from any offset, with an answer when there is nothing."""

from __future__ import annotations

import threading
from types import ModuleType
from typing import Any, Final

from feature_repo.stream.event_log import EventLogError, LogEntry

_UNASSIGNED: Final = -1
_MOST_AT_ONCE: Final = 10_000


class Deliveries:
    """What the broker reported of the records of one append. Reports come from whichever thread polls."""

    def __init__(self, records: int) -> None:
        self._lock = threading.Lock()
        self._outstanding = records
        self.failures: list[str] = []
        self.fatal = False
        """Whether the producer is of no use any more."""

    def report(self, error: Any, _: Any) -> None:
        """Take note of one record's fate."""
        with self._lock:
            self._outstanding -= 1
            if error is not None:
                self.failures.append(str(error.str()))
                self.fatal |= bool(error.fatal())

    @property
    def complete(self) -> bool:
        """Whether the fate of every record is known."""
        return self._outstanding == 0


class PartitionReader:
    """Reads one partition by a consumer of its own.

    Calls raise ``KafkaException``, also where the broker says nothing for ``patience`` seconds.
    """

    def __init__(self, kafka: ModuleType, consumer: Any, topic: str, partition: int, patience: float) -> None:
        self._kafka, self._consumer = kafka, consumer
        self._topic, self._partition, self._patience = topic, partition, patience
        self._lock = threading.Lock()
        self._next = _UNASSIGNED

    def read(self, offset: int, limit: int, wait: float) -> list[LogEntry]:
        """Return up to ``limit`` entries from ``offset`` on; ``wait`` in seconds for the first."""
        with self._lock:
            low, high = self._bounds()
            if offset > high:
                raise EventLogError(
                    f"position {offset - 1}: partition {self._partition} of {self._topic} ends at "
                    f"{high - 1}: the topic was made anew; commit a position of today's"
                )
            offset = max(offset, low)
            if offset >= high and wait <= 0:
                return []
            self._seek(offset)
            if offset < high:
                messages = self._consumer.consume(min(limit, high - offset), self._patience)
                if not messages:
                    raise self._kafka.KafkaException(
                        self._kafka.KafkaError(self._kafka.KafkaError._TIMED_OUT)
                    )
            else:
                messages = self._consumer.consume(1, wait)
                if messages and limit > 1:  # whatever came with it
                    messages += self._consumer.consume(min(limit - 1, _MOST_AT_ONCE), 0)
            return [self._entry(message) for message in messages]

    def first_since(self, epoch_ms: int) -> tuple[int, int]:
        """Return the oldest offset kept, and that of the first entry since ``epoch_ms``, or the end."""
        low, high = self._bounds()
        asked = self._kafka.TopicPartition(self._topic, self._partition, max(0, epoch_ms))
        found = self._consumer.offsets_for_times([asked], timeout=self._patience)[0]
        if found.error is not None:
            raise self._kafka.KafkaException(found.error)
        return low, high if found.offset < 0 else found.offset

    def remaining(self, offset: int) -> tuple[int, int]:
        """Return how many entries lie from ``offset`` on, and when the first was appended (epoch ms)."""
        low, high = self._bounds()
        oldest = self.read(offset, 1, 0) if max(offset, low) < high else []
        return (high - max(offset, low), oldest[0].appended_at_ms) if oldest else (0, 0)

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def _bounds(self) -> tuple[int, int]:
        asked = self._kafka.TopicPartition(self._topic, self._partition)
        low, high = self._consumer.get_watermark_offsets(asked, timeout=self._patience)
        return max(low, 0), high

    def _seek(self, offset: int) -> None:
        if offset != self._next:
            self._consumer.assign([self._kafka.TopicPartition(self._topic, self._partition, offset)])
            self._next = offset

    def _entry(self, message: Any) -> LogEntry:
        if message.error() is not None:
            self._next = _UNASSIGNED
            raise self._kafka.KafkaException(message.error())
        self._next = message.offset() + 1
        return LogEntry(str(message.offset()), message.value(), message.timestamp()[1])

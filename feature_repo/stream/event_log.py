"""The event log: what members did, kept in order, durable and replayable, partitioned by member.

Delivery is at least once: an append that raised may have kept some of its records all the same, and who
reads on from an older position meets entries again. Effects become idempotent by the event's id, further on.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

Position = str
"""A place in a partition, at an entry. Opaque: only the log that gave it can order it."""

PARTITIONS: Final = 8
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class EventLogError(RuntimeError):
    """The log is away, or refuses; nothing is known to be kept. The message says what was asked of which."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """What is appended: ``key``, the user id, decides the partition; ``value`` is an event as JSON, UTF-8."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What is read. ``appended_at_ms`` is in milliseconds since 1970 UTC, by the log's own clock."""

    position: Position
    value: bytes
    appended_at_ms: int


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is behind in one partition.

    ``events`` follow its committed position, or at least so many where ``capped``; ``seconds`` is the age of
    the oldest of them, 0 where there is none.
    """

    events: int
    seconds: float
    capped: bool = False


class EventLog(Protocol):
    """The log. Every call may raise :class:`EventLogError`; partitions count from 0."""

    @property
    def partitions(self) -> int:
        """How many partitions there are; fixed for the life of the log."""

    def append(self, records: Sequence[LogRecord]) -> None:
        """Keep the records, those of a partition in their order. Returns only when all are durable."""

    def read(
        self, partition: int, after: Position | None, limit: int, wait: timedelta = timedelta(0)
    ) -> list[LogEntry]:
        """Return up to ``limit`` entries strictly after ``after`` (None: from the oldest kept), in order.

        Waits up to ``wait`` for the first, and for no more than that.
        """

    def read_each(
        self, after: Mapping[int, Position | None], limit: int, wait: timedelta = timedelta(0)
    ) -> dict[int, list[LogEntry]]:
        """Do what :meth:`read` does for several partitions, up to ``limit`` entries of each.

        Waits until one of them has an entry. Partitions without any are left out.
        """

    def commit(self, group: str, partition: int, position: Position) -> None:
        """Note that the group has dealt with everything up to ``position``, which may lie further back."""

    def committed(self, group: str, partition: int) -> Position | None:
        """Return what the group committed last, from whichever process; None before the first time."""

    def position_at(self, partition: int, instant: datetime) -> Position | None:
        """Return the last position appended before ``instant`` (aware), to replay from then.

        In whole milliseconds of the log's clock. None where nothing that is kept is older.
        """

    def lag(self, group: str, partition: int) -> Lag:
        """Return how far the group is behind; who never committed is behind by all that is kept."""

    def trim(self, before: datetime) -> None:
        """Forget the entries appended before an aware instant, in whole milliseconds of the log's clock."""

    def forget(self, key: str, until_ms: int) -> int:
        """Remove what of a key was appended until then (milliseconds of the log's clock); return how many.

        A log that cannot remove single entries removes none: they go when their time is over.
        """

    def close(self) -> None:
        """Let go of the connections."""


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key, 0 to ``partitions`` - 1: CRC-32 of its UTF-8 bytes, modulo.

    The same in every process, and the same as librdkafka's partitioner ``consistent``.
    """
    return zlib.crc32(key.encode()) % partitions


def require_partition(partition: int, partitions: int) -> None:
    """Raise :class:`EventLogError` for a partition that a log of so many does not have."""
    if not 0 <= partition < partitions:
        raise EventLogError(f"partition = {partition}: use 0 to {partitions - 1}")


def epoch_milliseconds(instant: datetime) -> int:
    """Return an aware instant as whole milliseconds since 1970 UTC, rounded down."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)

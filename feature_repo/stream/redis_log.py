"""The event log in Redis: one stream a partition, one consumer group a group.

An append is as durable as Redis's persistence makes it: with ``appendonly yes`` and ``appendfsync always``
it is on disk before the answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import redis
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

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
from feature_repo.stream.event_record import is_about

NAME: Final = "marquee:events"
RETENTION: Final = timedelta(days=7)
LAG_CAP: Final = 10_000
"""Entries counted for a lag, at most."""
_FIELD: Final = b"e"
_BEGINNING: Final = "0-0"
_ANSWER_SECONDS: Final = 2.0
_CONNECT_SECONDS: Final = 0.5
_FORGET_AT_ONCE: Final = 2_000
_LONGEST_BLOCK: Final = 1.0
"""In seconds: a waiting read asks again this often, so that a Redis that hangs is noticed."""

# Counting happens where the entries lie: their values would be megabytes on the way.
_LAG_SCRIPT: Final = """
local found = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
if #found == 0 then return {0, '0-0', '0', '0'} end
local now = redis.call('TIME')
return {#found, found[1][1], now[1], now[2]}
"""


class RedisEventLog:
    """Streams ``<name>:<partition>``. A position is an entry's id, whose clock is Redis's.

    Entries older than ``retention`` are forgotten, in whole nodes of the stream, as new ones come in.
    """

    def __init__(self, client: Any, partitions: int, retention: timedelta, name: str) -> None:
        self._client = client
        self._partitions = partitions
        self._retention_ms = retention // timedelta(milliseconds=1)
        self._name = name
        self._lag_script = client.register_script(_LAG_SCRIPT)
        self._latest_ms = 0

    @classmethod
    def open(
        cls,
        url: str,
        partitions: int = PARTITIONS,
        retention: timedelta = RETENTION,
        name: str = NAME,
        answer_seconds: float | None = None,
    ) -> RedisEventLog:
        """Connect, and set the number of partitions for good where the log is new.

        ``answer_seconds`` is how long any call waits for Redis, once; without it, twice 2 seconds.

        Raises :class:`EventLogError` where Redis does not answer, or the log has another number.
        """
        if partitions < 1:
            raise EventLogError(f"partitions = {partitions}: use 1 or more")
        client: Any = redis.Redis.from_url(
            url, socket_timeout=_ANSWER_SECONDS if answer_seconds is None else answer_seconds,
            socket_connect_timeout=_CONNECT_SECONDS,
            retry=Retry(ConstantBackoff(0.05), retries=1 if answer_seconds is None else 0),
        )  # fmt: skip
        key = f"{name}:partitions"
        with _answering(f"open {name}"):
            client.set(key, partitions, nx=True)
            kept = int(client.get(key) or partitions)
        if kept != partitions:
            client.close()
            raise EventLogError(
                f"partitions = {partitions}: the event log {name} has {kept}, and members would change "
                f"theirs; open it with {kept}, or empty it first (delete the keys {name}:*)"
            )
        return cls(client, partitions, retention, name)

    @property
    def partitions(self) -> int:
        """How many partitions there are."""
        return self._partitions

    def append(self, records: Sequence[LogRecord]) -> None:
        """Keep the records, in one round trip. Raises :class:`EventLogError` unless all were taken."""
        if not records:
            return
        # The ids that came back last tell the time by Redis's clock: near enough to forget a week by.
        oldest = f"{max(0, self._latest_ms - self._retention_ms)}-0"
        trimmed: set[int] = set()
        with _answering(f"append {len(records)} records"), self._client.pipeline(transaction=False) as sent:
            for record in records:
                partition = partition_of(record.key, self._partitions)
                command: list[Any] = ["XADD", self._key(partition)]
                if partition not in trimmed:
                    trimmed.add(partition)
                    command += ["MINID", "~", oldest]
                sent.execute_command(*command, "*", _FIELD, record.value)
            ids = sent.execute()
        self._latest_ms = _milliseconds(ids[-1].decode())

    def read(
        self, partition: int, after: Position | None, limit: int, wait: timedelta = timedelta(0)
    ) -> list[LogEntry]:
        """Return entries after a position; see :class:`~feature_repo.stream.event_log.EventLog`."""
        return self.read_each({partition: after}, limit, wait).get(partition, [])

    def read_each(
        self, after: Mapping[int, Position | None], limit: int, wait: timedelta = timedelta(0)
    ) -> dict[int, list[LogEntry]]:
        """Return entries of several partitions, in one round trip."""
        partitions = {self._key(partition).encode(): partition for partition in after}
        since = {key: after[partition] or _BEGINNING for key, partition in partitions.items()}
        if not since:
            return {}
        end = time.monotonic() + wait.total_seconds()
        with _answering(f"read {dict(after)}"):
            while True:
                left = min(end - time.monotonic(), _LONGEST_BLOCK)
                block = max(1, round(left * 1e3)) if left > 0 else None
                answer = self._client.xread(since, count=limit, block=block)
                if answer or block is None:
                    break
        return {partitions[key]: [_entry(*item) for item in found] for key, found in answer or ()}

    def commit(self, group: str, partition: int, position: Position) -> None:
        """Set the group's position."""
        key = self._key(partition)
        with _answering(f"commit {position} of {key} for {group}"):
            try:
                self._client.xgroup_setid(key, group, position)
            except ResponseError as error:
                if "NOGROUP" not in str(error) and "requires the key to exist" not in str(error):
                    raise
                self._create(key, group, position)

    def _create(self, key: str, group: str, position: Position) -> None:
        try:
            self._client.xgroup_create(key, group, position, mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):  # another process of the group was quicker
                raise
            self._client.xgroup_setid(key, group, position)

    def committed(self, group: str, partition: int) -> Position | None:
        """Return the group's position."""
        key = self._key(partition)
        with _answering(f"read the position of {group} in {key}"):
            try:
                groups = self._client.xinfo_groups(key)
            except ResponseError as error:
                if "no such key" not in str(error):
                    raise
                return None
        found = [one["last-delivered-id"].decode() for one in groups if one["name"] == group.encode()]
        return found[0] if found else None

    def position_at(self, partition: int, instant: datetime) -> Position | None:
        """Return the last position before an instant."""
        key, end = self._key(partition), epoch_milliseconds(instant)
        if end <= 0:  # no id is smaller, and Redis refuses to look for one
            return None
        with _answering(f"find {instant.isoformat()} in {key}"):
            found = self._client.xrevrange(key, max=f"({end}-0", count=1)
        return str(found[0][0].decode()) if found else None

    def lag(self, group: str, partition: int) -> Lag:
        """Return how far the group is behind, of LAG_CAP events at most."""
        key = self._key(partition)
        after = self.committed(group, partition) or _BEGINNING
        with _answering(f"count {key} after {after}"):
            count, first, seconds, microseconds = self._lag_script(keys=[key], args=[after, LAG_CAP + 1])
        if not count:
            return Lag(0, 0.0)
        age_ms = int(seconds) * 1000 + int(microseconds) // 1000 - _milliseconds(first.decode())
        return Lag(min(count, LAG_CAP), max(0, age_ms) / 1e3, count > LAG_CAP)

    def trim(self, before: datetime) -> None:
        """Forget what was appended before an instant, exactly."""
        oldest = f"{max(0, epoch_milliseconds(before))}-0"
        with _answering(f"trim before {before.isoformat()}"):
            for partition in range(self._partitions):
                self._client.xtrim(self._key(partition), minid=oldest, approximate=False)

    def forget(self, key: str, until_ms: int) -> int:
        """Remove a key's entries, a part of its partition at a time."""
        stream, gone, after = self._key(partition_of(key, self._partitions)), 0, "-"
        with _answering(f"remove entries from {stream}"):
            while entries := self._client.xrange(stream, min=after, max=str(until_ms), count=_FORGET_AT_ONCE):
                of_key = [at for at, fields in entries if is_about(fields.get(_FIELD, b""), key)]
                gone += self._client.xdel(stream, *of_key) if of_key else 0
                after = f"({entries[-1][0].decode()}"
        return gone

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _key(self, partition: int) -> str:
        require_partition(partition, self._partitions)
        return f"{self._name}:{partition}"


@contextmanager
def _answering(asked: str) -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise EventLogError(f"the event log in Redis failed to {asked}: {error}") from error


def _entry(position: bytes, fields: dict[bytes, bytes]) -> LogEntry:
    text = position.decode()
    return LogEntry(text, fields.get(_FIELD, b""), _milliseconds(text))


def _milliseconds(position: Position) -> int:
    return int(position.partition("-")[0])

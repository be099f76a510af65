"""From the outbox into the lake: rows that a batch has made, in files of a size worth reading.

The outbox is part of the batch's transaction, so that no row is missing and none is of a batch that did not
count. A file bears the number of its flush; whoever flushes again after a crash writes the same file anew,
with the same rows and perhaps more, before the outbox is cut. So no row stands in two files.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
import redis

from feature_repo import schema as s
from feature_repo.deletion.tombstones import VERSION
from feature_repo.ingest.lake import Lake
from feature_repo.stream.leases import LeaseLostError, Leases
from feature_repo.stream.state_store import (
    FLUSHED,
    OUTBOX,
    MembersDeletedError,
    StateStore,
    guard_deletions,
    outbox_rows,
)

FLUSHING_PARTITION: Final = 0
"""Whoever holds it flushes for all."""
FLUSH_EVERY: Final = timedelta(seconds=60)
FULL: Final = 500
"""Values in the outbox that make a flush due early."""
_NUMBERED: Final = re.compile(r"/stream-(\d+)\.parquet$")
_TABLES: Final = {table.name: table for table in (s.EVENTS, *s.FEATURE_TABLES)}


class Outbox:
    """Flushes when it is due; ``lake`` is where the rows go."""

    def __init__(self, store: StateStore, lake: Lake, leases: Leases, every: timedelta = FLUSH_EVERY) -> None:
        self._store, self._lake, self._leases, self._every = store, lake, leases, every
        self._last: datetime | None = None

    def flush_if_due(self, now: datetime) -> int:
        """Flush where this processor is the one to do it and it is time; return how many rows."""
        if FLUSHING_PARTITION not in self._leases.held:
            return 0
        due = self._last is None or now - self._last >= self._every
        if not due and self._store.client.llen(OUTBOX) < FULL:
            return 0
        self._last = now
        return self.flush()

    def flush(self) -> int:
        """Write what is in the outbox into the lake; return how many rows.

        Raises ``LeaseLostError`` where another processor has taken over; it writes the same again. Where
        members are deleted meanwhile, what was written is taken back and written without them.
        """
        while True:
            try:
                return self._flush()
            except MembersDeletedError:
                self._take_back(self._number())

    def _flush(self) -> int:
        client = self._store.client
        deletions = int(client.get(VERSION) or 0)
        values = client.lrange(OUTBOX, 0, -1)
        if not values:
            return 0
        number = self._number()
        by_table: dict[str, list[pa.Table]] = {}
        for name, rows in map(outbox_rows, values):
            by_table.setdefault(name, []).append(rows)
        with self._lake.transaction() as transaction:
            written = sum(
                transaction.append(_TABLES[name], pa.concat_tables(parts), _file(number))
                for name, parts in by_table.items()
            )
        self._cut(len(values), deletions)
        return written

    def _number(self) -> int:
        """Return this flush's number; a store that has lost it goes on after the lake's files.

        From 0 again, a flush would take the place of one of before.
        """
        client = self._store.client
        if not client.exists(FLUSHED):
            files = (path for table in _TABLES.values() for path in self._lake.files(table))
            numbers = (int(found[1]) for found in map(_NUMBERED.search, files) if found)
            client.set(FLUSHED, max(numbers, default=-1) + 1, nx=True)
        return int(client.get(FLUSHED))

    def _take_back(self, number: int) -> None:
        for table in _TABLES.values():
            for path in self._lake.files(table):
                if path.endswith(f"/{_file(number)}.parquet"):
                    self._lake.filesystem.delete_file(path)

    def _cut(self, values: int, deletions: int) -> None:
        with self._store.client.pipeline(transaction=True) as transaction:
            try:
                self._leases.guard(transaction, (FLUSHING_PARTITION,))
                guard_deletions(transaction, deletions)
                transaction.multi()
                transaction.ltrim(OUTBOX, values, -1)
                transaction.incr(FLUSHED)
                transaction.execute()
            except redis.WatchError as error:
                raise LeaseLostError("the outbox was taken over while it was flushed") from error


def _file(number: int) -> str:
    return f"stream-{number:010d}"

"""Days of the impression log: which of them must be joined again, told from the files alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import blake2b
from typing import Final

import pyarrow.fs as pafs
import pyarrow.parquet as pq

from feature_repo import schema as s
from feature_repo.impression_log.attribution import RULE
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import SHOWN_TILES

JOINED: Final = "joined"
"""Name of the file that holds what the join made of a day; other files of the day came otherwise."""
INPUTS: Final = "marquee.inputs"
"""What the file was made from, in its metadata."""
_DAY: Final = timedelta(days=1)
_EPOCH: Final = date(1970, 1, 1)

Files = Mapping[str, Sequence[pafs.FileInfo]]
"""UTC day, such as ``2026-03-01``, to its files."""


@dataclass(frozen=True, slots=True)
class LogDay:
    """A UTC day with tiles, and all files that what came of them can depend on.

    A tile's outcome depends on the tiles of its day and of the day after, which may take a viewing over, and
    on the events from the day before, in which a viewing may have begun, to the day after.
    """

    day: date
    tiles: tuple[pafs.FileInfo, ...]
    events: tuple[pafs.FileInfo, ...]

    @property
    def begin_us(self) -> int:
        """The day's beginning, microseconds since 1970 UTC."""
        return (self.day - _EPOCH) // timedelta(microseconds=1)

    @property
    def inputs(self) -> str:
        """A digest of the rule and of the files: of their names, sizes and times of change."""
        digest = blake2b(str(RULE).encode(), digest_size=16)
        for info in (*self.tiles, *self.events):
            digest.update(f"\n{info.path} {info.size} {info.mtime_ns}".encode())
        return digest.hexdigest()


def log_days(lake: Lake) -> list[LogDay]:
    """Return the days that servers wrote tiles of, the earliest first."""
    tiles, events = lake.partitions(SHOWN_TILES), lake.partitions(s.EVENTS)
    return [_log_day(date.fromisoformat(day), tiles, events) for day in sorted(tiles)]


def _log_day(day: date, tiles: Files, events: Files) -> LogDay:
    def of(files: Files, *offsets: int) -> tuple[pafs.FileInfo, ...]:
        wanted = [(day + offset * _DAY).isoformat() for offset in offsets]
        return tuple(sorted((i for d in wanted for i in files.get(d, ())), key=lambda info: info.path))

    return LogDay(day, of(tiles, 0, 1), of(events, -1, 0, 1))


def days_to_join(lake: Lake, days: Iterable[LogDay]) -> Iterator[LogDay]:
    """Yield the days of which something came since they were joined, or that never were."""
    impressions = lake.partitions(s.IMPRESSIONS)
    for day in days:
        [joined] = [f for f in impressions.get(day.day.isoformat(), ()) if _is_joined(f)] or [None]
        if joined is None or inputs_of(lake, joined.path) != day.inputs:
            yield day


def inputs_of(lake: Lake, path: str) -> str | None:
    """Return what a joined file was made from; None where it does not say."""
    metadata = pq.read_schema(path, filesystem=lake.filesystem).metadata or {}
    found = metadata.get(INPUTS.encode())
    return None if found is None else found.decode()


def _is_joined(info: pafs.FileInfo) -> bool:
    return bool(info.base_name == f"{JOINED}.parquet")

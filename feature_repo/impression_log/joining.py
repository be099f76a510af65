"""Tiles and events become impressions: day by day, as often as something comes, in any order."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow.fs as pafs

from feature_repo import schema as s
from feature_repo.impression_log.attribution import attribute
from feature_repo.impression_log.compaction import compact
from feature_repo.impression_log.days import INPUTS, JOINED, LogDay, days_to_join, log_days
from feature_repo.impression_log.retention import KEEP, expire_impressions
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import SHOWN_TILES
from feature_repo.progress import Progress


@dataclass(slots=True)
class Joined:
    """What a join did: tiles by day joined, small files that became few, and days that went for their age."""

    days: dict[date, int] = field(default_factory=dict)
    compacted: int = 0
    expired: list[str] = field(default_factory=list)


def join_impressions(
    lake: Lake,
    now: datetime,
    *,
    since: date | None = None,
    until: date | None = None,
    keep: timedelta = KEEP,
    progress: Progress | None = None,
) -> Joined:
    """Bring IMPRESSIONS up to date with SHOWN_TILES and EVENTS; see the rule in :mod:`.attribution`.

    A day is joined where its tiles or the events about it changed since; with ``since`` and ``until`` only
    the UTC days from one to the other, both included. The result is the same in whatever order and in however
    many steps they came. Of a day only the file of the join is written anew, by one rename, and impressions
    that came otherwise stay. What the log no longer keeps goes first (see :func:`expire_impressions`).
    Another join of the same lake waits, where that is a local folder. Raises ``OSError`` where the lake
    cannot be written.
    """
    done = Joined()
    if not lake.exists(SHOWN_TILES):
        return done
    with alone(lake):
        done.expired = expire_impressions(lake, now, keep)
        done.compacted = compact(lake)
        wanted = [day for day in log_days(lake) if _is_within(day.day, since, until)]
        for number, day in enumerate(due := list(days_to_join(lake, wanted))):
            if progress is not None:
                progress(f"impressions of {day.day}", number, len(due))
            if tiles := _join_day(lake, day):
                done.days[day.day] = tiles
    return done


def _is_within(day: date, since: date | None, until: date | None) -> bool:
    return (since is None or since <= day) and (until is None or day <= until)


def _join_day(lake: Lake, day: LogDay) -> int:
    tiles = lake.dataset(SHOWN_TILES, [info.path for info in day.tiles])
    events = lake.dataset(s.EVENTS, [info.path for info in day.events])
    with (
        TemporaryDirectory(prefix="marquee-join-") as spill,
        duckdb.connect(config={"temp_directory": spill}) as connection,
        lake.transaction() as transaction,
    ):
        rows = attribute(connection, tiles, events, day.begin_us)
        return transaction.append(s.IMPRESSIONS, rows, JOINED, {INPUTS: day.inputs})


@contextmanager
def alone(lake: Lake) -> Iterator[None]:
    """Let no join of a local lake run meanwhile; elsewhere one at a time is left to the operator."""
    if not isinstance(lake.filesystem, pafs.LocalFileSystem):
        yield
        return
    with Path(lake.directory(SHOWN_TILES)).with_name("_join.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

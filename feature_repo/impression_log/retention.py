"""Tiles and what came of them are kept for a while, and then go day by day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import EXPLORED_SLOTS, SERVED_FEATURES, SHOWN_TILES

KEEP: Final = timedelta(days=90)
KEPT_TABLES: Final = (SHOWN_TILES, EXPLORED_SLOTS, SERVED_FEATURES, s.IMPRESSIONS)


def expire_impressions(lake: Lake, now: datetime, keep: timedelta = KEEP) -> list[str]:
    """Remove the days of the impression log that ended ``keep`` ago or earlier; return what went.

    Ago is reckoned from the end of the newest day of SHOWN_TILES, or from ``now`` where that is earlier: a
    service that replays old data keeps its log by its own clock. A lake whose servers wrote nothing keeps
    all. What goes is named ``table/day``. Raises ``ValueError`` where ``keep`` is shorter than a day.
    """
    if keep < timedelta(days=1):
        raise ValueError(f"keep = {keep}: the log goes day by day, keep at least one day")
    shown = lake.partitions(SHOWN_TILES)
    if not shown:
        return []
    reference = min(now, _end_of(max(shown)))
    gone = []
    for table in KEPT_TABLES:
        for day in sorted(lake.partitions(table)):
            if _end_of(day) <= reference - keep:
                lake.remove_partition(table, day)
                gone.append(f"{table.name}/{day}")
    return gone


def _end_of(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import SHOWN_TILES

START = datetime(2026, 3, 1, tzinfo=UTC)
"""The beginning of the first day."""
LATER = START + timedelta(days=5)
"""When joins run."""


def at(hours: float) -> datetime:
    """Hours after the first day's beginning."""
    return START + timedelta(hours=hours)


def shown(page: str, hours: float, *titles: str, user: str = "ana") -> list[dict[str, Any]]:
    """A page's tiles, in one row."""
    return [
        {
            s.PAGE_ID: page, s.USER_ID: user, s.TITLE_ID: title, s.EVENT_TIMESTAMP: at(hours),
            s.ROW_TYPE: "top_picks", s.ROW_INDEX: 1, s.POSITION: position, s.PROPENSITY: 1.0,
            s.SOURCES: ["als"], s.BUNDLE: "b1",
        }
        for position, title in enumerate(titles, start=1)
    ]  # fmt: skip


def imported(page: str, hours: float) -> dict[str, Any]:
    return shown(page, hours, "z")[0] | {s.PLAYED: True, s.WATCH_FRACTION: 0.75, s.CLICKED: True}


_numbers = count(1)


def event(
    hours: float, title: str, kind: str, fraction: float | None = None, user: str = "ana", **more: Any
) -> dict[str, Any]:
    return {
        s.EVENT_ID: f"e{next(_numbers):06d}", s.USER_ID: user, s.TITLE_ID: title, s.EVENT_TYPE: kind,
        s.EVENT_TIMESTAMP: at(hours), s.WATCH_FRACTION: fraction, **more,
    }  # fmt: skip


def rows_of(table: s.Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), table.arrow_schema)


def append(
    lake: Lake, tiles: Sequence[Mapping[str, Any]] = (), events: Sequence[Mapping[str, Any]] = ()
) -> None:
    for table, rows in ((SHOWN_TILES, tiles), (s.EVENTS, events)):
        if rows:
            lake.append(table, rows_of(table, rows))


Outcome = tuple[bool, float | None, bool]


def outcomes(lake: Lake) -> dict[tuple[str, str], Outcome]:
    """(page, title) to (played, watch fraction, clicked); no tile stands there twice."""
    rows = lake.read(s.IMPRESSIONS).to_pylist()
    found = {
        (row[s.PAGE_ID], row[s.TITLE_ID]): (
            row[s.PLAYED],
            None if row[s.WATCH_FRACTION] is None else round(row[s.WATCH_FRACTION], 5),
            row[s.CLICKED],
        )
        for row in rows
    }
    assert len(found) == len(rows)
    return found


@pytest.fixture
def lake(tmp_path: Any) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def files_of() -> Callable[[Lake, s.Table], dict[str, int]]:
    def count_files(lake: Lake, table: s.Table) -> dict[str, int]:
        return {day: len(files) for day, files in sorted(lake.partitions(table).items())}

    return count_files

"""Small raw tables, written as rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from feature_repo import schema as s

MIDNIGHT = datetime(2024, 1, 1, tzinfo=UTC)
"""A Monday; minute 0 of all small histories."""

Rows = Sequence[tuple[Any, ...]]
MakeTable = Callable[[Rows], pa.Table]


def at(minute: float) -> datetime:
    return MIDNIGHT + timedelta(minutes=minute)


def _table(table: s.Table, names: Sequence[str], rows: Rows, time: str, defaults: dict[str, Any]) -> pa.Table:
    records = [defaults | dict(zip(names, row, strict=False)) for row in rows]
    for record in records:
        record[time] = at(record[time])
    return pa.Table.from_pylist(records, schema=table.arrow_schema)


@pytest.fixture(scope="session")
def instant() -> Callable[[float], datetime]:
    """Minute after midnight of 2024-01-01 UTC to an instant."""
    return at


@pytest.fixture(scope="session")
def make_events() -> MakeTable:
    """Rows of (event_id, user_id, title_id, event_type, minute, fraction, minutes, device)."""
    names = (s.EVENT_ID, s.USER_ID, s.TITLE_ID, s.EVENT_TYPE, s.EVENT_TIMESTAMP, s.WATCH_FRACTION,
             s.DURATION_MINUTES, s.DEVICE_TYPE)  # fmt: skip
    return lambda rows: _table(s.EVENTS, names, rows, s.EVENT_TIMESTAMP, {})


@pytest.fixture(scope="session")
def make_titles() -> MakeTable:
    """Rows of (title_id, genres, minute, cast, synopsis)."""
    names = (s.TITLE_ID, s.GENRE_NAMES, s.EVENT_TIMESTAMP, s.CAST, s.SYNOPSIS)
    defaults = {s.NAME: "a name", s.TITLE_TYPE: "movie", s.CAST: [], s.EVENT_TIMESTAMP: 0,
                s.AVAILABLE_SINCE: at(60)}  # fmt: skip
    return lambda rows: _table(s.TITLES, names, rows, s.EVENT_TIMESTAMP, defaults)


@pytest.fixture(scope="session")
def make_impressions() -> MakeTable:
    """Rows of (page_id, title_id, minute, played)."""
    names = (s.PAGE_ID, s.TITLE_ID, s.EVENT_TIMESTAMP, s.PLAYED)
    defaults = {s.USER_ID: "u", s.ROW_TYPE: "top_picks", s.ROW_INDEX: 1, s.POSITION: 1, s.PROPENSITY: 1.0}
    return lambda rows: _table(s.IMPRESSIONS, names, rows, s.EVENT_TIMESTAMP, defaults)

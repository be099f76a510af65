from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import given, strategies as st

from feature_repo import schema as s
from feature_repo.transforms.interactions import interactions
from feature_repo.transforms.viewings import viewings
from feature_repo.transforms.watch_log import watch_log
from tests.feature_repo.transforms.viewing_rules import begins, reported

CREATED = datetime(2024, 6, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rows_of(events: pa.Table) -> list[tuple[Any, ...]]:
    batch = interactions(viewings(watch_log(events)), CREATED)
    names = (s.USER_ID, s.TITLE_ID, s.EVENT_TIMESTAMP, s.WATCH_FRACTION, s.WATCH_COUNT, s.LAST_WATCHED_AT)
    return [tuple(row[name] for name in names) for row in batch.to_pylist()]


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def naive_starts(rows: list[dict[str, Any]]) -> int:
    starts, furthest = 0, None
    for row in rows:
        if begins(row[s.EVENT_TYPE], row[s.WATCH_FRACTION], furthest):
            starts, furthest = starts + 1, 0.0
        furthest = max(furthest, reported(row[s.EVENT_TYPE], row[s.WATCH_FRACTION]))
    return starts


def naive_rows(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    rows = sorted(rows, key=lambda r: (r[s.EVENT_TIMESTAMP], r[s.EVENT_ID]))
    expected = []
    for user, title in sorted({(r[s.USER_ID], r[s.TITLE_ID]) for r in rows}):
        own = [r for r in rows if (r[s.USER_ID], r[s.TITLE_ID]) == (user, title)]
        for end in sorted({r[s.EVENT_TIMESTAMP].replace(minute=0) + timedelta(hours=1) for r in own}):
            before = [r for r in own if r[s.EVENT_TIMESTAMP] < end]
            fractions = [reported(r[s.EVENT_TYPE], r[s.WATCH_FRACTION]) for r in before]
            expected.append((user, title, end, max(fractions, default=0.0), naive_starts(before),
                             micros(before[-1][s.EVENT_TIMESTAMP])))  # fmt: skip
    return expected


def test_small_history_worked_out_by_hand(make_events, instant):
    events = make_events([
        ("e1", "u", "a", "play", 10), ("e2", "u", "a", "progress", 50, 0.5),
        ("e3", "u", "a", "play", 70), ("e4", "u", "a", "progress", 119, 0.25),
        ("e5", "u", "b", "pause", 20), ("e6", "u", "b", "hover", 200),
    ])  # fmt: skip
    assert rows_of(events) == [
        ("u", "a", instant(60), 0.5, 1, micros(instant(50))),
        ("u", "a", instant(120), 0.5, 2, micros(instant(119))),
        ("u", "b", instant(60), 0.0, 1, micros(instant(20))),
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("uv"),
            st.sampled_from("abc"),
            st.sampled_from(s.WATCH_EVENT_TYPES),
            st.integers(0, 300),
            st.none() | st.floats(0, 1, width=16),
        ),
        max_size=30,
    )
)
def test_rows_equal_a_naive_recount(make_events, history):
    events = make_events([(f"e{number:02d}", *row) for number, row in enumerate(history)])
    assert rows_of(events) == naive_rows(events.to_pylist())

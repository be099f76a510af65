from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import given, strategies as st

from feature_repo import schema as s
from feature_repo.transforms import user_history as module
from feature_repo.transforms.user_history import user_histories
from feature_repo.transforms.watch_log import watch_log

CREATED = datetime(2024, 6, 1, tzinfo=UTC)
DAY = 24 * 60


def histories(events: pa.Table) -> list[tuple[str, datetime, list[str]]]:
    rows = [row for batch in user_histories(watch_log(events), CREATED) for row in batch.to_pylist()]
    return [(row[s.USER_ID], row[s.EVENT_TIMESTAMP], row[s.WATCHED_TITLE_IDS]) for row in rows]


def naive_histories(rows: list[dict[str, Any]]) -> list[tuple[str, datetime, list[str]]]:
    expected = []
    for user in sorted({row[s.USER_ID] for row in rows}):
        own = sorted(
            (r for r in rows if r[s.USER_ID] == user), key=lambda r: (r[s.EVENT_TIMESTAMP], r[s.EVENT_ID])
        )
        final = own[-1][s.EVENT_TIMESTAMP].replace(minute=0) + timedelta(hours=1)
        for day in sorted({row[s.EVENT_TIMESTAMP].date() for row in own}):
            end = min(final, datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1))
            before = [row[s.TITLE_ID] for row in own if row[s.EVENT_TIMESTAMP] < end]
            expected.append((user, end, list(dict.fromkeys(reversed(before)))))
    return expected


def test_days_end_at_midnight_and_the_last_one_with_its_last_hour(make_events, instant):
    events = make_events([
        ("e1", "u", "a", "play", 10), ("e2", "u", "b", "play", 70), ("e3", "u", "a", "pause", 80),
        ("e4", "u", "c", "play", DAY + 130), ("e5", "v", "b", "play", DAY - 1),
    ])  # fmt: skip
    assert histories(events) == [
        ("u", instant(DAY), ["a", "b"]),
        ("u", instant(DAY + 180), ["c", "a", "b"]),
        ("v", instant(DAY), ["b"]),
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from("uvw"), st.sampled_from("abcde"), st.just("play"), st.integers(0, 5 * DAY)),
        max_size=30,
    )
)
def test_lists_equal_a_naive_recount(make_events, history):
    events = make_events([(f"e{number:02d}", *row) for number, row in enumerate(history)])
    assert histories(events) == naive_histories(events.to_pylist())


def test_only_the_latest_titles_are_kept(make_events, monkeypatch):
    monkeypatch.setattr(module, "WATCHED_TITLES", 2)
    events = make_events([(f"e{i}", "u", title, "play", i) for i, title in enumerate("abcb")])
    assert histories(events)[0][2] == ["b", "c"]


def test_size_of_the_blocks_changes_nothing(make_events, monkeypatch):
    events = make_events([(f"e{i}", f"u{i % 5}", f"t{i % 7}", "play", i * 300) for i in range(60)])
    whole = histories(events)
    monkeypatch.setattr(module, "ENTRIES_PER_BLOCK", 10)
    assert histories(events) == whole

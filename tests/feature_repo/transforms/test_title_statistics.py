from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from feature_repo import schema as s
from feature_repo.transforms.title_statistics import title_statistics
from feature_repo.transforms.viewings import viewings
from feature_repo.transforms.watch_log import watch_log
from tests.feature_repo.transforms.viewing_rules import begins, reported

CREATED = datetime(2024, 6, 1, tzinfo=UTC)
DAY = 24 * 60
NO_IMPRESSIONS = s.IMPRESSIONS.arrow_schema.empty_table()


def statistics(events: pa.Table, impressions: pa.Table = NO_IMPRESSIONS) -> list[dict[str, Any]]:
    return title_statistics(viewings(watch_log(events)), impressions, CREATED).to_pylist()


def naive_viewings(events: list[dict[str, Any]], end: datetime) -> list[tuple[str, datetime, float]]:
    """Return (title, start, fraction so far) of every viewing before ``end``."""
    viewed: list[list[Any]] = []
    current: dict[tuple[str, str], list[Any]] = {}
    for e in sorted(events, key=lambda e: (e[s.EVENT_TIMESTAMP], e[s.EVENT_ID])):
        if e[s.EVENT_TIMESTAMP] >= end:
            break
        pair = (e[s.USER_ID], e[s.TITLE_ID])
        furthest = current[pair][2] if pair in current else None
        if begins(e[s.EVENT_TYPE], e[s.WATCH_FRACTION], furthest):
            current[pair] = [e[s.TITLE_ID], e[s.EVENT_TIMESTAMP], 0.0]
            viewed.append(current[pair])
        current[pair][2] = max(current[pair][2], reported(e[s.EVENT_TYPE], e[s.WATCH_FRACTION]))
    return [(title, start, fraction) for title, start, fraction in viewed]


def naive_statistics(
    events: list[dict[str, Any]], shown: list[dict[str, Any]]
) -> dict[Any, tuple[float, ...]]:
    activity = [(row[s.TITLE_ID], row[s.EVENT_TIMESTAMP]) for row in [*events, *shown]]
    if not activity:
        return {}
    final = max(when for _, when in activity).replace(minute=0) + timedelta(hours=1)
    expected = {}
    for title, when in activity:
        end = min(final, datetime(when.year, when.month, when.day, tzinfo=UTC) + timedelta(days=1))
        viewed = naive_viewings(events, end)
        fractions = [f for t, _, f in viewed if t == title]
        everyone = sum(f for _, _, f in viewed) / max(len(viewed), 1)
        seen = [row for row in shown if row[s.EVENT_TIMESTAMP] < end]
        own = [row[s.PLAYED] for row in seen if row[s.TITLE_ID] == title]
        rate = sum(row[s.PLAYED] for row in seen) / max(len(seen), 1)
        plays = sum(
            math.exp(-(end - start).total_seconds() / 86_400 / 2) for t, start, _ in viewed if t == title
        )
        expected[title, end] = (
            len(fractions), (sum(fractions) + 20 * everyone) / (len(fractions) + 20), plays,
            len(own), (sum(own) + 100 * rate) / (len(own) + 100),
        )  # fmt: skip
    return expected


VALUES = (s.VIEW_COUNT, s.MEAN_COMPLETION, s.DECAYED_PLAYS, s.IMPRESSION_COUNT, s.PLAY_RATE)


def test_small_history_worked_out_by_hand(make_events, make_impressions, instant):
    events = make_events([
        ("e1", "u", "a", "play", 0), ("e2", "u", "a", "complete", 90, 1.0), ("e3", "v", "b", "play", 100),
        ("e4", "v", "b", "pause", DAY + 30, 0.5),
    ])  # fmt: skip
    impressions = make_impressions([("p1", "b", 99, True), ("p1", "c", 99, False)])
    rows = {(row[s.TITLE_ID], row[s.EVENT_TIMESTAMP]): row for row in statistics(events, impressions)}
    first, last = instant(DAY), instant(DAY + 60)
    assert set(rows) == {("a", first), ("b", first), ("c", first), ("b", last)}
    # Two viewings so far, one of them complete: the mean of all titles is 0.5.
    assert rows["a", first][s.MEAN_COMPLETION] == pytest.approx((1 + 20 * 0.5) / 21)
    assert rows["a", first][s.DECAYED_PLAYS] == pytest.approx(math.exp(-1 / 2))
    assert rows["b", first][s.MEAN_COMPLETION] == pytest.approx((0 + 20 * 0.5) / 21)
    assert rows["b", first][s.PLAY_RATE] == pytest.approx((1 + 100 * 0.5) / 101)
    assert rows["c", first][s.PLAY_RATE] == pytest.approx((0 + 100 * 0.5) / 101)
    assert (rows["c", first][s.VIEW_COUNT], rows["c", first][s.IMPRESSION_COUNT]) == (0, 1)
    # The next day the same viewing gets to one half: no new view, and a mean of 0.75.
    assert rows["b", last][s.VIEW_COUNT] == 1
    assert rows["b", last][s.MEAN_COMPLETION] == pytest.approx((0.5 + 20 * 0.75) / 21)


def test_without_impressions_every_play_rate_is_the_same(make_events):
    rows = statistics(make_events([("e1", "u", "a", "play", 0), ("e2", "u", "b", "play", DAY)]))
    assert [(row[s.IMPRESSION_COUNT], row[s.PLAY_RATE]) for row in rows] == [(0, 0.0), (0, 0.0)]


def test_impressions_alone_give_rows(make_impressions):
    rows = statistics(s.EVENTS.arrow_schema.empty_table(), make_impressions([("p", "a", 0, True)]))
    assert [(row[s.VIEW_COUNT], row[s.MEAN_COMPLETION], row[s.PLAY_RATE]) for row in rows] == [(0, 0.0, 1.0)]


def test_nothing_gives_no_rows():
    assert statistics(s.EVENTS.arrow_schema.empty_table()) == []


def test_impression_reported_twice_counts_once(make_events, make_impressions):
    events = make_events([("e1", "u", "a", "play", 0)])
    once = make_impressions([("p", "a", 1, True), ("q", "a", 2, False)])
    twice = make_impressions([("p", "a", 1, True), ("q", "a", 2, False), ("p", "a", 1, True)])
    assert statistics(events, twice) == statistics(events, once)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from("uv"),
        st.sampled_from("abc"),
        st.sampled_from(s.WATCH_EVENT_TYPES),
        st.integers(0, 5 * DAY),
        st.none() | st.floats(0, 1, width=16),
    ),
    max_size=20,
).map(lambda rows: [(f"e{number:02d}", *row) for number, row in enumerate(rows)])
SHOWN = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 5 * DAY), st.booleans()), max_size=20).map(
    lambda rows: [(f"p{number:02d}", *row) for number, row in enumerate(rows)]
)


@given(EVENTS, SHOWN)
def test_rows_equal_a_naive_recount(make_events, make_impressions, history, shown):
    events, impressions = make_events(history), make_impressions(shown)
    expected = naive_statistics(events.to_pylist(), impressions.to_pylist())
    rows = statistics(events, impressions)
    assert {(row[s.TITLE_ID], row[s.EVENT_TIMESTAMP]) for row in rows} == set(expected)
    assert len(rows) == len(expected)
    for row in rows:
        values = expected[row[s.TITLE_ID], row[s.EVENT_TIMESTAMP]]
        assert [row[name] for name in VALUES] == pytest.approx(values, rel=1e-5)


@given(EVENTS, SHOWN, st.integers(1, 4))
def test_later_days_never_change_a_row(make_events, make_impressions, instant, history, shown, days):
    def up_to_midnight(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row for row in rows if row[s.EVENT_TIMESTAMP] <= instant(days * DAY)]

    # An event in the last minute keeps the last row at midnight in both.
    last = ("z", "w", "d", "play", days * DAY - 1)
    early = [row for row in history if row[4] < days * DAY]
    seen = [row for row in shown if row[2] < days * DAY]
    whole = statistics(make_events([*history, last]), make_impressions(shown))
    assert up_to_midnight(whole) == statistics(make_events([*early, last]), make_impressions(seen))


@given(EVENTS, SHOWN, st.randoms(use_true_random=False))
def test_order_of_rows_changes_nothing(make_events, make_impressions, history, shown, random):
    expected = statistics(make_events(history), make_impressions(shown))
    random.shuffle(history)
    random.shuffle(shown)
    assert statistics(make_events(history), make_impressions(shown)) == expected

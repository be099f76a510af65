from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from feature_repo import schema as s
from feature_repo.transforms import user_snapshot as module
from feature_repo.transforms.title_metadata import GenreVersions
from feature_repo.transforms.user_snapshot import user_snapshots
from feature_repo.transforms.watch_log import watch_log
from tests.feature_repo.transforms.viewing_rules import begins, reported

CREATED = datetime(2024, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GENRES_OF = {f"t{i:02d}": [s.GENRES[i % 7], s.GENRES[i % 3]] if i % 5 else [] for i in range(70)}


def snapshots(events: pa.Table, titles: pa.Table) -> list[dict[str, Any]]:
    log = watch_log(events)
    batches = user_snapshots(log, GenreVersions.of(titles, log.titles), CREATED)
    return [row for batch in batches for row in batch.to_pylist()]


def naive_snapshot(events: list[dict[str, Any]], end: datetime) -> dict[str, Any]:
    """Replay one member's events before ``end`` in plain Python, one at a time."""
    recent: list[list[Any]] = []
    gains: list[tuple[datetime, str, float]] = []
    viewings: list[tuple[datetime, str | None]] = []
    sessions: list[float] = []
    last: datetime | None = None
    for e in sorted(events, key=lambda e: (e[s.EVENT_TIMESTAMP], e[s.EVENT_ID])):
        now, title, spent = e[s.EVENT_TIMESTAMP], e[s.TITLE_ID], e[s.DURATION_MINUTES]
        if now >= end:
            break
        slot = next((slot for slot in recent if slot[0] == title), None)
        if begins(e[s.EVENT_TYPE], e[s.WATCH_FRACTION], None if slot is None else slot[1]):
            recent = [other for other in recent if other[0] != title]
            slot = [title, 0.0]
            viewings.append((now, e[s.DEVICE_TYPE]))
        else:
            recent.remove(slot)
        reached = max(slot[1], reported(e[s.EVENT_TYPE], e[s.WATCH_FRACTION]))
        gains.append((now, title, reached - slot[1]))
        slot[1] = reached
        recent = [slot, *recent][: s.RECENT_TITLES]
        elapsed = 0.0 if last is None else (now - last).total_seconds() / 60
        if last is None or elapsed - (spent or 0.0) > 30:
            sessions.append(0.0 if spent is None else spent)
        else:
            sessions[-1] += elapsed if spent is None else spent
        last = now
    assert last is not None

    def faded(then: datetime, days: float) -> float:
        return math.exp(-(last - then).total_seconds() / 86_400 / days)

    taste = dict.fromkeys(s.GENRES, 0.0)
    for then, title, gain in gains:
        for genre in set(GENRES_OF[title]):
            taste[genre] += gain * faded(then, 21) / math.sqrt(len(set(GENRES_OF[title])))
    total = sum(taste.values())
    return {
        s.RECENT_TITLE_IDS: [title for title, _ in recent],
        s.RECENT_WATCH_FRACTIONS: [fraction for _, fraction in recent],
        s.GENRE_PREFERENCE: [taste[genre] / total if total else 0.0 for genre in s.GENRES],
        s.MEAN_SESSION_MINUTES: sum(sessions) / len(sessions),
        s.LAST_WATCHED_AT: (last - EPOCH) // timedelta(microseconds=1),
        "device_votes": [sum(faded(t, 21) for t, d in viewings if d == device) for device in s.DEVICES],
        "hour_votes": [sum(faded(t, 21) for t, _ in viewings if t.hour == hour) for hour in range(24)],
        s.WATCH_VELOCITY: sum(faded(t, 7) for t, _ in viewings) / 7,
        s.WATCH_COUNT: len(viewings),
    }


def assert_same(row: dict[str, Any], expected: dict[str, Any]) -> None:
    for name in (s.RECENT_TITLE_IDS, s.LAST_WATCHED_AT, s.WATCH_COUNT):
        assert row[name] == expected[name], name
    for name in (s.RECENT_WATCH_FRACTIONS, s.GENRE_PREFERENCE, s.MEAN_SESSION_MINUTES, s.WATCH_VELOCITY):
        assert row[name] == pytest.approx(expected[name], rel=1e-5, abs=1e-6), name
    hours, devices = expected["hour_votes"], expected["device_votes"]
    assert hours[row[s.PREFERRED_HOUR]] == pytest.approx(max(hours))
    if row[s.PREFERRED_DEVICE] is None:
        assert not any(devices)
    else:
        assert devices[s.DEVICES.index(row[s.PREFERRED_DEVICE])] == pytest.approx(max(devices))


def assert_equal_to_replay(events: pa.Table, titles: pa.Table) -> None:
    kept = {e[s.EVENT_ID]: e for e in events.to_pylist()}.values()
    watched = [e for e in kept if e[s.EVENT_TYPE] in s.WATCH_EVENT_TYPES]
    ends = {
        (e[s.USER_ID], e[s.EVENT_TIMESTAMP].replace(minute=0, second=0, microsecond=0) + HOUR)
        for e in watched
    }
    rows = snapshots(events, titles)
    assert [(row[s.USER_ID], row[s.EVENT_TIMESTAMP]) for row in rows] == sorted(ends)
    for row in rows:
        own = [e for e in watched if e[s.USER_ID] == row[s.USER_ID]]
        assert_same(row, naive_snapshot(own, row[s.EVENT_TIMESTAMP]))


HISTORY = st.lists(
    st.tuples(
        st.sampled_from(["u1", "u2", "u3"]),
        st.sampled_from(["t00", "t01", "t02", "t03"]),
        st.sampled_from(s.EVENT_TYPES[:5]),
        st.integers(0, 4_000),
        st.none() | st.floats(0, 1, width=16),
        st.none() | st.integers(0, 90),
        st.none() | st.sampled_from(s.DEVICES),
    ),
    max_size=25,
).map(lambda rows: [(f"e{number:02d}", *row) for number, row in enumerate(rows)])


@pytest.fixture(scope="module")
def catalogue(make_titles):
    return make_titles(list(GENRES_OF.items()))


@given(HISTORY)
def test_rounds_over_all_members_equal_a_replay_one_event_at_a_time(make_events, catalogue, history):
    assert_equal_to_replay(make_events(history), catalogue)


def test_long_histories_with_forgotten_titles_equal_a_replay(make_events, catalogue):
    rng = np.random.default_rng(5)
    history = [
        (f"e{i:03d}", f"u{rng.integers(2)}", f"t{rng.integers(70):02d}", rng.choice(["play", "progress"]),
         float(rng.integers(20_000)), float(rng.integers(9) / 8), None, rng.choice(s.DEVICES))
        for i in range(400)
    ]  # fmt: skip
    assert_equal_to_replay(make_events(history), catalogue)


@given(HISTORY, st.randoms(use_true_random=False))
def test_duplicates_and_order_of_rows_change_nothing(make_events, catalogue, history, random):
    doubled = history + random.sample(history, len(history) // 2)
    random.shuffle(doubled)
    assert snapshots(make_events(doubled), catalogue) == snapshots(make_events(history), catalogue)


@given(HISTORY, st.integers(0, 66))
def test_later_events_never_change_a_row(make_events, catalogue, instant, history, hours):
    cut = instant(hours * 60)
    early = [row for row in history if row[4] < hours * 60]
    kept = [row for row in snapshots(make_events(history), catalogue) if row[s.EVENT_TIMESTAMP] <= cut]
    assert kept == snapshots(make_events(early), catalogue)


def test_event_on_the_hour_belongs_to_the_next_row(make_events, catalogue, instant):
    rows = snapshots(make_events([("e1", "u", "t01", "play", 59), ("e2", "u", "t02", "play", 60)]), catalogue)
    assert [row[s.EVENT_TIMESTAMP] for row in rows] == [instant(60), instant(120)]
    assert [row[s.RECENT_TITLE_IDS] for row in rows] == [["t01"], ["t02", "t01"]]


def test_events_at_one_instant_are_taken_by_event_id(make_events, catalogue):
    rows = snapshots(make_events([("e2", "u", "t02", "play", 5), ("e1", "u", "t01", "play", 5)]), catalogue)
    assert rows[0][s.RECENT_TITLE_IDS] == ["t02", "t01"]


def test_size_of_the_blocks_changes_nothing(make_events, catalogue, monkeypatch):
    history = [(f"e{i}", f"u{i % 4}", f"t{i % 6:02d}", "complete", i * 37.0, 0.5) for i in range(40)]
    whole = snapshots(make_events(history), catalogue)
    monkeypatch.setattr(module, "EVENTS_PER_BLOCK", 3)
    assert snapshots(make_events(history), catalogue) == whole

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.latest_titles import latest_codes, latest_titles
from feature_repo.transforms.title_metadata import GenreVersions
from feature_repo.transforms.user_session import user_sessions
from feature_repo.transforms.user_snapshot import user_snapshots
from feature_repo.transforms.watch_log import watch_log
from tests.feature_repo.transforms.viewing_rules import begins, reported

CREATED = datetime(2024, 6, 1, tzinfo=UTC)
WIDTH = s.RECENT_TITLES
Listed = tuple[list[str], list[float]]


def test_the_session_comes_first_and_says_how_far_a_title_was_watched():
    merged = latest_titles(["c", "a"], [0.25, 0.5], ["a", "b"], [0.75, 1.0])
    assert merged == [("c", 0.25), ("a", 0.5), ("b", 1.0)]


def test_without_a_session_or_without_a_snapshot_the_other_is_the_answer():
    assert latest_titles([], [], ["a"], [0.5]) == [("a", 0.5)]
    assert latest_titles(["a"], np.array([0.5], np.float32), [], []) == [("a", 0.5)]
    assert latest_titles([], [], [], []) == []


def test_only_the_latest_fifty_are_kept():
    recent = [f"r{i}" for i in range(WIDTH)]
    merged = latest_titles(["new", "r3"], [0.1, 0.2], recent, [1.0] * WIDTH)
    assert len(merged) == WIDTH
    assert [title for title, _ in merged] == ["new", "r3", "r0", "r1", "r2", *recent[4:-1]]


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="zip"):
        latest_titles(["a"], [], [], [])


def placed(rows: list[list[tuple[int, float]]]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    codes = np.full((len(rows), WIDTH), -1, dtype=np.int32)
    fractions = np.zeros((len(rows), WIDTH), dtype=np.float32)
    for row, pairs in enumerate(rows):
        for place, (code, fraction) in enumerate(pairs):
            codes[row, place], fractions[row, place] = code, fraction
    return codes, fractions


def test_many_members_at_once_by_hand():
    session, recent = placed([[(2, 0.25), (0, 0.5)], []]), placed([[(0, 0.75), (1, 1.0)], [(4, 0.5)]])
    codes, fractions = latest_codes(session, recent)
    assert codes.shape == fractions.shape == (2, WIDTH)
    assert codes[0, :4].tolist() == [2, 0, 1, -1]
    assert fractions[0, :4].tolist() == [0.25, 0.5, 1.0, 0]
    assert codes[1, :2].tolist() == [4, -1]
    assert not fractions[1, 1:].any()
    assert (session[0][0, 1], recent[0][0, 0]) == (0, 0)  # neither argument was written to


# Drawn from few codes and sometimes full, so that titles in both and more than fifty are the rule.
LATEST = st.lists(
    st.tuples(st.integers(0, 70), st.sampled_from([0.0, 0.25, 0.5, 1.0])),
    max_size=WIDTH,
    unique_by=lambda pair: pair[0],
)


@given(st.lists(st.tuples(LATEST, LATEST), min_size=1, max_size=4))
def test_many_members_at_once_are_as_each_alone(members):
    codes, fractions = latest_codes(placed([m for m, _ in members]), placed([m for _, m in members]))
    for row, (session, recent) in enumerate(members):
        alone = latest_titles(
            [str(code) for code, _ in session], [fraction for _, fraction in session],
            [str(code) for code, _ in recent], [fraction for _, fraction in recent],
        )  # fmt: skip
        assert codes[row].tolist() == [int(code) for code, _ in alone] + [-1] * (WIDTH - len(alone))
        assert fractions[row].tolist() == [f for _, f in alone] + [0.0] * (WIDTH - len(alone))


# --- session and snapshot together are the fold of everything before ---------------------------


@pytest.fixture(scope="module")
def catalogue(make_titles) -> pa.Table:
    return make_titles([(f"t{i:02d}", ["Drama"]) for i in range(70)])


def replayed(history: list[tuple[Any, ...]], minute: float) -> Listed:
    """What was watched before ``minute``, by a plain replay: latest first, with the fraction reached."""
    recent: dict[str, float] = {}
    for _, _, title, kind, when, fraction in sorted(history, key=lambda row: (row[4], row[0])):
        if when >= minute:
            break
        before = recent.pop(title, None)
        kept = 0.0 if begins(kind, fraction, before) else before
        recent[title] = max(kept, reported(kind, fraction))
        while len(recent) > WIDTH:
            del recent[next(iter(recent))]
    return list(reversed(recent)), list(reversed(recent.values()))


def row_as_of(
    rows: list[dict[str, Any]], at: datetime, columns: tuple[str, str], ttl: timedelta | None = None
) -> Listed:
    """The lists of the newest row at or before ``at``, as point-in-time retrieval picks it."""
    known = [row for row in rows if row[s.EVENT_TIMESTAMP] <= at]
    newest = max(known, key=lambda row: row[s.EVENT_TIMESTAMP], default=None)
    if newest is None or (ttl is not None and at - newest[s.EVENT_TIMESTAMP] > ttl):
        return [], []
    return newest[columns[0]], newest[columns[1]]


HISTORY = st.lists(
    st.tuples(
        st.just("u"),
        st.integers(0, 8).map(lambda i: f"t{i:02d}"),
        st.sampled_from(s.WATCH_EVENT_TYPES),
        st.integers(0, 100) | st.integers(0, 4_500),
        st.none() | st.floats(0, 1, width=16),
    ),
    max_size=25,
).map(lambda rows: [(f"e{number:03d}", *row) for number, row in enumerate(rows)])


def assert_merged_is_the_fold(
    events: pa.Table, catalogue: pa.Table, history: list[tuple[Any, ...]], minute: float,
    at: datetime, snapshot_at: datetime,
) -> None:  # fmt: skip
    log = watch_log(events)
    genres = GenreVersions.of(catalogue, log.titles)
    sessions, snapshots = (
        [row for batch in view(log, genres, CREATED) for row in batch.to_pylist()]
        for view in (user_sessions, user_snapshots)
    )
    session = row_as_of(sessions, at, (s.SESSION_TITLE_IDS, s.SESSION_WATCH_FRACTIONS), timedelta(hours=24))
    recent = row_as_of(snapshots, snapshot_at, (s.RECENT_TITLE_IDS, s.RECENT_WATCH_FRACTIONS))
    merged = latest_titles(*session, *recent)
    ids, fractions = replayed(history, minute)
    assert [title for title, _ in merged] == ids
    assert [fraction for _, fraction in merged] == pytest.approx(fractions)


@given(HISTORY, st.integers(0, 100) | st.integers(0, 6_000), st.integers(0, 24))
def test_session_and_snapshot_are_what_was_watched_before_this_very_instant(
    make_events, catalogue, instant, history, minute, age
):
    """The snapshot may be up to 24 hours older than the instant: so late may a build be."""
    hours = -(-(minute - age * 60) // 60)  # the first full hour not more than ``age`` hours before
    hours = min(hours, minute // 60)
    assert_merged_is_the_fold(
        make_events(history), catalogue, history, minute, instant(minute), instant(hours * 60)
    )


def test_with_more_than_fifty_titles_the_oldest_are_forgotten(make_events, catalogue, instant):
    rng = np.random.default_rng(11)
    history = [
        (f"e{i:03d}", "u", f"t{rng.integers(70):02d}", str(rng.choice(["play", "progress"])),
         int(rng.integers(2_500)), float(rng.integers(9) / 8))
        for i in range(300)
    ]  # fmt: skip
    for minute in (1_200, 1_451, 2_500):
        assert len(replayed(history, minute)[0]) == WIDTH
        assert_merged_is_the_fold(
            make_events(history), catalogue, history, minute, instant(minute), instant(minute // 60 * 60)
        )


def test_a_snapshot_older_than_the_session_reaches_leaves_a_gap(make_events, catalogue, instant):
    """The limit of the merge: of what happened between snapshot and session nothing is known."""
    history = [("e1", "u", "t01", "play", 0, None), ("e2", "u", "t02", "play", 120, None),
               ("e3", "u", "t03", "play", 1_800, None)]  # fmt: skip
    with pytest.raises(AssertionError, match="t02"):
        assert_merged_is_the_fold(
            make_events(history), catalogue, history, 1_801, instant(1_801), instant(60)
        )

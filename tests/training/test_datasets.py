from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.store import FeatureGateway
from feature_repo.transforms.calendar import epoch_microseconds
from training.datasets import (
    RecencySampling,
    WatchEvents,
    distinct_pairs,
    interaction_matrix,
    members_as_of,
    titles_as_of,
    watch_events,
)
from training.interactions import InteractionMatrix

MakeRows = Callable[..., pa.Table]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MICROSECOND, HOUR, DAY = timedelta(microseconds=1), timedelta(hours=1), timedelta(days=1)
TITLES, MEMBERS = np.array(["t1", "t2"]), np.array(["ann", "bob", "cyd"])


def event(name: str, at: datetime, kind: str = "progress", **rest: Any) -> dict[str, Any]:
    return {s.EVENT_ID: name, s.EVENT_TIMESTAMP: at, s.EVENT_TYPE: kind, s.USER_ID: name} | rest


def met(user: str, title: str, at: datetime, fraction: float, last: datetime | None = None) -> dict[str, Any]:
    return {s.USER_ID: user, s.TITLE_ID: title, s.EVENT_TIMESTAMP: at, s.WATCH_FRACTION: fraction,
            s.LAST_WATCHED_AT: epoch_microseconds(last or at)}  # fmt: skip


def pairs_of(*pairs: tuple[str, str]) -> pa.Table:
    return pa.table({s.USER_ID: [u for u, _ in pairs], s.TITLE_ID: [t for _, t in pairs]})


# --- watch events ------------------------------------------------------------------------------


def test_only_watching_counts_and_events_come_by_time_then_by_id(lake: Lake, make_rows: MakeRows) -> None:
    rows = [event("c", NOON, "complete"), event("z", NOON - HOUR, "pause"), event("b", NOON, "play"),
            event("h", NOON, "hover"), event("u", NOON, "thumbs_up")]  # fmt: skip
    lake.replace(s.EVENTS, make_rows(s.EVENTS, rows))
    events = watch_events(lake)
    assert events.user_ids.tolist() == ["z", "b", "c"]
    assert events.timestamps.tolist() == [epoch_microseconds(t) for t in (NOON - HOUR, NOON, NOON)]
    assert events.started.tolist() == [False, True, False]


def test_the_window_holds_its_start_and_not_its_end(lake: Lake, make_rows: MakeRows) -> None:
    stamps = [NOON - MICROSECOND, NOON, NOON + HOUR - MICROSECOND, NOON + HOUR]
    lake.replace(s.EVENTS, make_rows(s.EVENTS, [event(str(i), t) for i, t in enumerate(stamps)]))
    assert watch_events(lake, NOON, NOON + HOUR).user_ids.tolist() == ["1", "2"]


def test_an_unknown_fraction_is_nan_and_an_unknown_device_empty(lake: Lake, make_rows: MakeRows) -> None:
    rows = [event("a", NOON, **{s.WATCH_FRACTION: None, s.DEVICE_TYPE: None}),
            event("b", NOON, **{s.WATCH_FRACTION: 0.25, s.DEVICE_TYPE: "tv"}),
            event("c", NOON, "complete", **{s.WATCH_FRACTION: None})]  # fmt: skip
    lake.replace(s.EVENTS, make_rows(s.EVENTS, rows))
    events = watch_events(lake)
    assert events.device_types.tolist()[:2] == ["", "tv"]
    # Whoever completed a title saw its end, though the event does not say how far.
    np.testing.assert_array_equal(events.watch_fractions, np.array([np.nan, 0.25, 1.0], dtype=np.float32))


@pytest.mark.parametrize(
    ("kinds", "starts"),
    [(("play", "progress", "play"), [True, False, True]), (("progress", "complete", "pause"), [True] * 3)],
    ids=["a log with plays", "a log without"],
)
def test_viewings_start_with_plays_where_the_log_has_any(
    lake: Lake, make_rows: MakeRows, kinds: Sequence[str], starts: list[bool]
) -> None:
    lake.replace(s.EVENTS, make_rows(s.EVENTS, [event(str(i), NOON, k) for i, k in enumerate(kinds)]))
    assert watch_events(lake).play_starts().tolist() == starts


def test_pairs_are_distinct_and_cut_by_time(lake: Lake, make_rows: MakeRows) -> None:
    stamps = [(NOON, "t1"), (NOON + HOUR, "t1"), (NOON + HOUR, "t2"), (NOON + 2 * HOUR, "t3")]
    rows = [event(str(i), t, **{s.USER_ID: "ann", s.TITLE_ID: title}) for i, (t, title) in enumerate(stamps)]
    lake.replace(s.EVENTS, make_rows(s.EVENTS, rows))
    events = watch_events(lake)

    def titles(pairs: pa.Table) -> list[str]:
        assert set(pairs[s.USER_ID].to_pylist()) == {"ann"}
        return list(pairs[s.TITLE_ID].to_pylist())

    assert titles(distinct_pairs(events)) == ["t1", "t2", "t3"]
    assert titles(distinct_pairs(events, before=NOON + HOUR)) == ["t1"]
    assert titles(distinct_pairs(events, since=NOON + HOUR)) == ["t1", "t2", "t3"]
    assert titles(distinct_pairs(events, since=NOON + HOUR + MICROSECOND)) == ["t3"]
    assert titles(distinct_pairs(events, since=NOON + HOUR, before=NOON + 2 * HOUR)) == ["t1", "t2"]


def test_events_can_be_taken_by_mask(lake: Lake, make_rows: MakeRows) -> None:
    lake.replace(s.EVENTS, make_rows(s.EVENTS, [event("a", NOON), event("b", NOON, "play")]))
    taken = watch_events(lake).take(np.array([False, True]))
    assert isinstance(taken, WatchEvents)
    assert (taken.user_ids.tolist(), taken.started.tolist()) == (["b"], [True])


# --- interactions ------------------------------------------------------------------------------


@pytest.fixture
def interactions(lake: Lake, make_rows: MakeRows) -> None:
    """Ann and t1 met at noon (0.2) and again a microsecond later (0.9); Bob and t2 an hour later."""
    rows = [met("ann", "t1", NOON, 0.2), met("ann", "t1", NOON + MICROSECOND, 0.9),
            met("bob", "t2", NOON + HOUR, 0.5)]  # fmt: skip
    lake.replace(s.INTERACTIONS, make_rows(s.INTERACTIONS, rows))


@pytest.mark.usefixtures("interactions")
@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        (NOON, [[0.2, 0], [0, 0], [0, 0]]),
        (NOON + MICROSECOND, [[0.9, 0], [0, 0], [0, 0]]),
        (NOON + HOUR - MICROSECOND, [[0.9, 0], [0, 0], [0, 0]]),
        (NOON + HOUR, [[0.9, 0], [0, 0.5], [0, 0]]),
    ],
    ids=["noon", "a microsecond later", "just before Bob", "with Bob"],
)
def test_interactions_are_those_known_at_the_instant(
    gateway: FeatureGateway, as_of: datetime, expected: list[list[float]]
) -> None:
    pairs = pairs_of(("bob", "t2"), ("ann", "t1"), ("cyd", "t1"))
    matrix = interaction_matrix(gateway, pairs, as_of, catalogue=TITLES, members=MEMBERS)
    np.testing.assert_array_equal(matrix.fractions.toarray(), np.array(expected, dtype=np.float32))
    assert matrix.fractions.nnz == np.count_nonzero(expected)


@pytest.fixture
def long_history(lake: Lake, make_rows: MakeRows) -> pa.Table:
    """400 members who watched t1 within the last 24 hours, and 400 who did so 2 to 10 days ago."""
    recent = [met(f"new{i:03}", "t1", NOON, 0.5, NOON - i * timedelta(minutes=3)) for i in range(400)]
    older = [
        met(f"old{i:03}", "t1", NOON, 0.5, NOON - 2 * DAY - i * timedelta(minutes=28)) for i in range(400)
    ]
    lake.replace(s.INTERACTIONS, make_rows(s.INTERACTIONS, recent + older))
    return pairs_of(*((row[s.USER_ID], "t1") for row in recent + older))


def sampled(gateway: FeatureGateway, pairs: pa.Table, sampling: RecencySampling) -> set[str]:
    members = np.array(sorted(pairs[s.USER_ID].to_pylist()))
    matrix: InteractionMatrix = interaction_matrix(
        gateway, pairs, NOON, catalogue=TITLES, members=members, sampling=sampling
    )
    return set(members[matrix.user_titles > 0].tolist())


def test_sampling_keeps_the_last_day_and_about_the_share_of_what_is_older(
    gateway: FeatureGateway, long_history: pa.Table
) -> None:
    kept = sampled(gateway, long_history, RecencySampling(older_share=0.25, seed=1))
    assert sum(name.startswith("new") for name in kept) == 400
    # Binomial(400, 0.25): mean 100, standard deviation 8.7; four of them either way.
    assert 65 <= sum(name.startswith("old") for name in kept) <= 135
    assert sampled(gateway, long_history, RecencySampling(older_share=0.25, seed=1)) == kept
    assert sampled(gateway, long_history, RecencySampling(older_share=0.25, seed=2)) != kept


def test_a_share_of_one_keeps_all_and_of_none_only_the_last_day(
    gateway: FeatureGateway, long_history: pa.Table
) -> None:
    assert len(sampled(gateway, long_history, RecencySampling())) == 800
    recent = sampled(gateway, long_history, RecencySampling(older_share=0.0))
    assert len(recent) == 400
    assert all(name.startswith("new") for name in recent)


def test_the_window_is_inclusive_and_cuts_recent_interactions_too(
    gateway: FeatureGateway, long_history: pa.Table
) -> None:
    # new000 to new020 were at most 20 x 3 minutes ago.
    kept = sampled(gateway, long_history, RecencySampling(window=HOUR))
    assert kept == {f"new{i:03}" for i in range(21)}


# --- the ranker's sides ------------------------------------------------------------------------


def test_members_come_in_the_order_asked_for_with_duplicates(
    gateway: FeatureGateway, lake: Lake, make_rows: MakeRows
) -> None:
    rows = [{s.USER_ID: u, s.EVENT_TIMESTAMP: t, s.WATCH_COUNT: n} for u, t, n in
            (("ann", NOON, 3), ("ann", NOON + HOUR, 4), ("bob", NOON, 9))]  # fmt: skip
    lake.replace(s.USER_SNAPSHOT, make_rows(s.USER_SNAPSHOT, rows))
    profile = {s.USER_ID: "ann", s.EVENT_TIMESTAMP: NOON, s.LANGUAGE: "ko"}
    lake.replace(s.USER_PROFILE, make_rows(s.USER_PROFILE, [profile]))
    session = {s.USER_ID: "ann", s.EVENT_TIMESTAMP: NOON + MICROSECOND, s.SESSION_MINUTES: 12.5}
    lake.replace(s.USER_SESSION, make_rows(s.USER_SESSION, [session]))
    lake.replace(s.USER_ALS_EMBEDDING, s.USER_ALS_EMBEDDING.arrow_schema.empty_table())
    noon, later = epoch_microseconds(NOON), epoch_microseconds(NOON + HOUR)
    member = members_as_of(
        gateway,
        np.array(["bob", "ann", "zoe", "ann", "bob", "ann"]),
        np.array([noon, later, noon, noon, noon, noon - 1]),
    )
    np.testing.assert_array_equal(member[s.WATCH_COUNT], [9, 4, np.nan, 3, 9, np.nan])
    assert member[s.LANGUAGE].tolist() == ["", "ko", "", "ko", "", ""]
    np.testing.assert_array_equal(member[s.SESSION_MINUTES], [np.nan, 12.5, np.nan, np.nan, np.nan, np.nan])
    assert np.isnan(member[s.USER_EMBEDDING]).all()
    assert member[s.USER_EMBEDDING].shape == (6, s.ALS_DIMENSIONS)


def test_titles_come_in_the_order_asked_for_with_duplicates(
    gateway: FeatureGateway, lake: Lake, make_rows: MakeRows
) -> None:
    metadata = [
        {s.TITLE_ID: t, s.EVENT_TIMESTAMP: NOON, s.RELEASE_YEAR: y} for t, y in (("t1", 1999), ("t2", 2024))
    ]
    lake.replace(s.TITLE_METADATA, make_rows(s.TITLE_METADATA, metadata))
    views = {s.TITLE_ID: "t2", s.EVENT_TIMESTAMP: NOON + HOUR, s.VIEW_COUNT: 7}
    lake.replace(s.TITLE_STATISTICS, make_rows(s.TITLE_STATISTICS, [views]))
    lake.replace(s.TITLE_ALS_EMBEDDING, s.TITLE_ALS_EMBEDDING.arrow_schema.empty_table())
    noon, later = epoch_microseconds(NOON), epoch_microseconds(NOON + HOUR)
    titles = titles_as_of(gateway, np.array(["t2", "t1", "t2", "t2"]), np.array([noon, later, later, noon]))
    np.testing.assert_array_equal(titles[s.RELEASE_YEAR], [2024, 1999, 2024, 2024])
    np.testing.assert_array_equal(titles[s.VIEW_COUNT], [np.nan, np.nan, 7, np.nan])

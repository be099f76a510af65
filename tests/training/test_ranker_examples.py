from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.store import FeatureGateway
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.ranking import RANKING_FEATURES
from training.datasets import WatchEvents
from training.factors import Factors
from training.interactions import InteractionMatrix
from training.page_vectors import PageVectors, VectorMaker
from training.ranker_examples import (
    CandidatePlan,
    ShownTiles,
    ranking_examples,
    tiles_from_candidates,
    tiles_from_impressions,
)
from training.retrieval import Retrieval
from training.two_tower import TwoTower, TwoTowerConfig

MakeRows = Callable[..., pa.Table]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WINDOW = (NOON, NOON + 10 * DAY)
USERS = np.array(["ann", "bob"])
TITLES = np.array([f"t{i}" for i in range(6)])


# --- impressions -------------------------------------------------------------------------------


def tile(page: str, at: datetime, row: int, position: int, **rest: Any) -> dict[str, Any]:
    name = f"{page}-{row}-{position}"
    place = {s.PAGE_ID: page, s.EVENT_TIMESTAMP: at, s.ROW_INDEX: row, s.POSITION: position}
    return place | {s.TITLE_ID: name, s.USER_ID: f"user of {page}", s.WATCH_FRACTION: None} | rest


def test_tiles_are_ordered_by_time_page_and_place_and_pages_are_numbered(
    lake: Lake, make_rows: MakeRows
) -> None:
    rows = [
        tile("b", NOON, 1, 1), tile("a", NOON, 2, 1), tile("a", NOON, 1, 2), tile("a", NOON, 1, 1),
        tile("z", NOON - HOUR, 1, 1), tile("early", NOON - 2 * HOUR, 1, 1), tile("late", NOON + HOUR, 1, 1),
    ]  # fmt: skip
    lake.replace(s.IMPRESSIONS, make_rows(s.IMPRESSIONS, rows))
    tiles = tiles_from_impressions(lake, NOON - HOUR, NOON + HOUR, most_rows=100, seed=0)
    assert tiles.title_ids.tolist() == ["z-1-1", "a-1-1", "a-1-2", "a-2-1", "b-1-1"]
    assert tiles.pages.tolist() == [0, 1, 1, 1, 2]
    assert tiles.instants.tolist() == [epoch_microseconds(NOON - HOUR), *[epoch_microseconds(NOON)] * 4]
    assert tiles.user_ids.tolist() == ["user of z", *["user of a"] * 3, "user of b"]
    assert tiles.row_indices.tolist() == [1, 1, 1, 2, 1]
    assert tiles.positions.tolist() == [1, 1, 2, 1, 1]


@pytest.mark.parametrize(
    ("played", "fraction", "label"),
    [(True, 0.9, 1), (True, None, 1), (True, 0.01, 0), (False, None, 0)],
    ids=["watched", "played, how far unknown", "abandoned", "not played"],
)
def test_a_tile_played_and_not_abandoned_is_a_hit(
    lake: Lake, make_rows: MakeRows, played: bool, fraction: float | None, label: int
) -> None:
    row = tile("a", NOON, 1, 1, **{s.PLAYED: played, s.WATCH_FRACTION: fraction, s.DEVICE_TYPE: None})
    lake.replace(s.IMPRESSIONS, make_rows(s.IMPRESSIONS, [row]))
    tiles = tiles_from_impressions(lake, NOON, NOON + HOUR, most_rows=10, seed=0)
    assert tiles.labels.tolist() == [label]
    assert tiles.device_types.tolist() == [""]


def test_too_many_impressions_are_thinned_by_whole_pages(lake: Lake, make_rows: MakeRows) -> None:
    rows = [tile(f"{page:03}", NOON, 1, p) for page in range(200) for p in (1, 2, 3)]
    lake.replace(s.IMPRESSIONS, make_rows(s.IMPRESSIONS, rows))

    def read(seed: int) -> ShownTiles:
        return tiles_from_impressions(lake, NOON, NOON + HOUR, most_rows=300, seed=seed)

    tiles = read(1)
    _, sizes = np.unique(tiles.pages, return_counts=True)
    assert set(sizes.tolist()) == {3}
    # Binomial(200, 0.5): mean 100, standard deviation 7.1; four of them either way.
    assert 72 <= len(sizes) <= 128
    assert np.all(np.diff(tiles.pages) >= 0)
    assert read(1).title_ids.tolist() == tiles.title_ids.tolist()
    assert read(2).title_ids.tolist() != tiles.title_ids.tolist()


def test_a_window_without_impressions_gives_no_tiles(lake: Lake) -> None:
    lake.replace(s.IMPRESSIONS, s.IMPRESSIONS.arrow_schema.empty_table())
    assert len(tiles_from_impressions(lake, NOON, NOON + HOUR, most_rows=10, seed=0).labels) == 0


# --- candidates --------------------------------------------------------------------------------


def log(*rows: tuple[datetime, str, str, float]) -> WatchEvents:
    """Events of (instant, member, title, fraction), all on a tablet."""
    rows = tuple(sorted(rows))
    return WatchEvents(
        np.array([user for _, user, _, _ in rows]), np.array([title for _, _, title, _ in rows]),
        np.array([epoch_microseconds(at) for at, *_ in rows]), np.full(len(rows), "tablet"),
        np.array([fraction for *_, fraction in rows], dtype=np.float32), np.ones(len(rows), dtype=bool),
    )  # fmt: skip


@pytest.fixture
def seen() -> InteractionMatrix:
    """Before the window: Ann watched t0, Bob t0, t1 and t2; t3, t4 and t5 nobody."""
    users, titles = np.array(["ann", "bob", "bob", "bob"]), np.array(["t0", "t0", "t1", "t2"])
    return InteractionMatrix.build(users, titles, np.ones(4), TITLES, USERS)


@pytest.fixture
def retrieval(seen: InteractionMatrix) -> Retrieval:
    """Ann's taste is the first axis: t2 scores 3, t1 scores 2, t0 scores 1. Bob has no vector.

    By the towers every member is nearest to t5, then t4, and so on down.
    """
    users, titles = np.zeros((2, 2), dtype=np.float32), np.zeros((6, 2), dtype=np.float32)
    users[0, 0] = 1.0
    titles[:3, 0] = 1, 2, 3
    titles[3:, 0] = 99  # never trained: whatever stands here must not count
    vectors = np.linspace(0, 1, 6, dtype=np.float32)[:, None]
    factors = Factors(USERS, TITLES, users, titles, None)
    tower = TwoTower(TITLES, {}, TwoTowerConfig(), {})
    return Retrieval(NOON, seen, seen, factors, tower, vectors, np.zeros((2, 2), dtype=np.float32))


def toward_the_last(user_ids: np.ndarray, _instants: np.ndarray, _devices: np.ndarray) -> PageVectors:
    """The stored core vectors, and a user tower in one dimension."""
    core = np.where((user_ids == "ann")[:, None], [[1, 0]], np.nan).astype(np.float32)
    solved, tower = np.zeros(len(user_ids), dtype=bool), np.ones((len(user_ids), 1), dtype=np.float32)
    return PageVectors(core, solved, tower)


def candidates(
    events: WatchEvents,
    retrieval: Retrieval,
    vectors_of: VectorMaker = toward_the_last,
    most_rows: int = 100,
    **plan: int,
) -> ShownTiles:
    whole = CandidatePlan(**({"core": 1, "two_tower": 0, "popular": 2, "negatives": 10} | plan))
    return tiles_from_candidates(events, WINDOW, retrieval, vectors_of, plan=whole, most_rows=most_rows)


def of_page(tiles: ShownTiles, page: int = 0) -> dict[str, float]:
    rows = tiles.pages == page
    return dict(zip(tiles.title_ids[rows].tolist(), tiles.labels[rows].tolist(), strict=True))


def test_a_page_holds_what_als_and_popularity_propose_with_hits_first(retrieval: Retrieval) -> None:
    # Ann has seen t0. Popularity's next two are t1 and t2 (one viewer each), ALS proposes t2.
    tiles = candidates(log((NOON + HOUR, "ann", "t2", 0.7)), retrieval)
    assert of_page(tiles) == {"t2": 1.0, "t1": 0.0}
    assert tiles.labels.tolist() == [1.0, 0.0]
    assert tiles.instants.tolist() == [epoch_microseconds(NOON + HOUR)] * 2
    assert tiles.user_ids.tolist() == ["ann"] * 2
    assert tiles.device_types.tolist() == ["tablet"] * 2


def test_als_proposes_only_titles_it_was_trained_on(retrieval: Retrieval) -> None:
    tiles = candidates(log((NOON, "ann", "t2", 1.0)), retrieval, core=5, popular=0)
    assert set(tiles.title_ids.tolist()) == {"t1", "t2"}


def test_the_towers_propose_titles_that_nobody_has_watched(retrieval: Retrieval) -> None:
    tiles = candidates(log((NOON, "ann", "t5", 1.0)), retrieval, core=0, popular=0, two_tower=2)
    assert of_page(tiles) == {"t5": 1.0, "t4": 0.0}


@pytest.mark.parametrize(("fraction", "pages"), [(0.5, 1), (0.49, 0), (np.nan, 0)])
def test_pages_without_a_title_watched_far_enough_are_left_out(
    retrieval: Retrieval, fraction: float, pages: int
) -> None:
    tiles = candidates(log((NOON, "ann", "t2", fraction)), retrieval)
    assert len(np.unique(tiles.pages)) == pages


def test_one_page_a_day_at_the_first_watch_and_what_was_watched_before_is_gone(retrieval: Retrieval) -> None:
    days = log(
        (NOON, "ann", "t5", 1.0),  # the day's first watch: no candidate, but it fixes the instant
        (NOON + 2 * HOUR, "ann", "t2", 1.0),
        (NOON + DAY, "ann", "t1", 0.6),
    )
    tiles = candidates(days, retrieval, popular=3)
    assert set(np.unique(tiles.instants).tolist()) == {
        epoch_microseconds(NOON),
        epoch_microseconds(NOON + DAY),
    }
    assert of_page(tiles, 0) == {"t2": 1.0, "t1": 0.0, "t3": 0.0}
    # The second day: t0, t2 and t5 are watched; t1, then t3 and t4 by their order, are left.
    assert of_page(tiles, 1) == {"t1": 1.0, "t3": 0.0, "t4": 0.0}


def test_what_was_watched_years_ago_is_not_proposed_again(retrieval: Retrieval) -> None:
    years = log((NOON - 900 * DAY, "ann", "t1", 1.0), (NOON, "ann", "t2", 1.0))
    assert of_page(candidates(years, retrieval)) == {"t2": 1.0, "t3": 0.0}


def test_what_the_models_were_not_fitted_on_is_not_proposed_again_either(
    retrieval: Retrieval, seen: InteractionMatrix
) -> None:
    ann, titles = np.array(["ann", "ann"]), np.array(["t0", "t1"])
    also_t1 = replace(retrieval, watched=InteractionMatrix.build(ann, titles, np.ones(2), TITLES, USERS))
    watched = log((NOON, "ann", "t2", 1.0))
    assert set(candidates(watched, retrieval).title_ids) == {"t1", "t2"}
    assert set(candidates(watched, also_t1).title_ids) == {"t2", "t3"}


def test_other_members_histories_and_later_watches_do_not_count(retrieval: Retrieval) -> None:
    alone = candidates(log((NOON, "ann", "t2", 1.0)), retrieval)
    crowded = candidates(
        log((NOON - DAY, "bob", "t3", 1.0), (NOON, "ann", "t2", 1.0), (NOON + DAY, "ann", "t1", 0.1)),
        retrieval,
    )  # fmt: skip
    assert of_page(crowded) == of_page(alone)


def test_a_member_without_a_vector_is_shown_what_is_popular(retrieval: Retrieval) -> None:
    tiles = candidates(log((NOON, "bob", "t4", 1.0)), retrieval, popular=2)
    assert of_page(tiles) == {"t4": 1.0, "t3": 0.0}


def test_who_has_a_vector_solved_from_what_they_watched_is_proposed_what_is_near_it(
    retrieval: Retrieval,
) -> None:
    def solved(user_ids: np.ndarray, *_: np.ndarray) -> PageVectors:
        core = np.tile(np.array([-1, 0], np.float32), (len(user_ids), 1))
        return PageVectors(core, np.ones(len(user_ids), bool), np.ones((len(user_ids), 1), np.float32))

    # On her second day: t0 and t2 she has watched, so that t1, though far from her, is the nearest.
    days = log((NOON, "ann", "t2", 1.0), (NOON + DAY, "ann", "t1", 1.0))
    tiles = candidates(days, retrieval, solved, core=1, popular=0)
    assert of_page(tiles) == {"t1": 1.0}


@pytest.mark.parametrize(
    ("at", "pages"),
    [(NOON - timedelta(microseconds=1), 0), (NOON, 1), (WINDOW[1] - HOUR, 1), (WINDOW[1], 0)],
    ids=["before", "at the start", "near the end", "at the end"],
)
def test_only_days_in_the_window_make_pages(retrieval: Retrieval, at: datetime, pages: int) -> None:
    assert len(np.unique(candidates(log((at, "ann", "t2", 1.0)), retrieval).pages)) == pages


def test_unknown_members_and_titles_make_no_pages(retrieval: Retrieval) -> None:
    strange = log((NOON, "zoe", "t2", 1.0), (NOON, "ann", "unknown", 1.0))
    assert len(candidates(strange, retrieval).labels) == 0


def test_negatives_are_drawn_by_the_seed(retrieval: Retrieval) -> None:
    events = log((NOON, "ann", "t2", 1.0))

    def negatives(seed: int) -> tuple[str, ...]:
        tiles = candidates(events, retrieval, popular=6, negatives=2, seed=seed)
        assert tiles.labels.tolist() == [1.0, 0.0, 0.0]
        return tuple(tiles.title_ids[1:].tolist())

    assert negatives(3) == negatives(3)
    assert len({negatives(seed) for seed in range(10)}) > 1


# --- the matrix --------------------------------------------------------------------------------


def test_each_row_has_the_features_of_its_own_instant(
    gateway: FeatureGateway, lake: Lake, make_rows: MakeRows, retrieval: Retrieval
) -> None:
    for table in s.FEATURE_TABLES:
        lake.replace(table, table.arrow_schema.empty_table())
    views = [
        {s.TITLE_ID: "t1", s.EVENT_TIMESTAMP: t, s.VIEW_COUNT: n} for t, n in ((NOON, 0), (NOON + DAY, 1))
    ]
    lake.replace(s.TITLE_STATISTICS, make_rows(s.TITLE_STATISTICS, views))
    tiles = ShownTiles(
        np.array(["ann", "ann"]), np.array(["t1", "t1"]),
        np.array([epoch_microseconds(NOON + DAY), epoch_microseconds(NOON + HOUR)]),
        np.array(["tv", ""]), np.array([0, 1]), np.array([1, 0], dtype=np.float32),
        np.array([2, 4], dtype=np.float32), np.array([6, 1], dtype=np.float32),
    )  # fmt: skip
    examples = ranking_examples(gateway, tiles, retrieval, toward_the_last)
    assert examples.matrix.shape == (2, len(RANKING_FEATURES))

    def column(name: str) -> list[float]:
        return list(examples.matrix[:, RANKING_FEATURES.index(name)])

    assert column("log_view_count") == [np.float32(np.log(2)), 0.0]
    assert column("request_hour") == [12.0, 13.0]
    assert column("two_tower_cosine") == [np.float32(0.2)] * 2
    assert (column("shown_row"), column("shown_position")) == ([2, 4], [6, 1])
    np.testing.assert_array_equal(column("device_code"), [0.0, np.nan])
    assert examples.labels.tolist() == [1.0, 0.0]
    assert examples.groups is not None
    assert examples.groups.tolist() == [0, 1]


def test_the_ranker_learns_from_the_vector_that_a_page_would_have_solved(
    gateway: FeatureGateway, lake: Lake, make_rows: MakeRows, retrieval: Retrieval
) -> None:
    for table in s.FEATURE_TABLES:
        lake.replace(table, table.arrow_schema.empty_table())
    first_axis = [1.0] + [0.0] * (s.ALS_DIMENSIONS - 1)
    stored = {s.USER_ID: "ann", s.EVENT_TIMESTAMP: NOON, s.USER_EMBEDDING: first_axis}
    title = {s.TITLE_ID: "t1", s.EVENT_TIMESTAMP: NOON, s.TITLE_EMBEDDING: [3 * x for x in first_axis]}
    lake.replace(s.USER_ALS_EMBEDDING, make_rows(s.USER_ALS_EMBEDDING, [stored]))
    lake.replace(s.TITLE_ALS_EMBEDDING, make_rows(s.TITLE_ALS_EMBEDDING, [title]))

    def solved_for_bob(user_ids: np.ndarray, *_: np.ndarray) -> PageVectors:
        core = np.full((len(user_ids), s.ALS_DIMENSIONS), np.nan, dtype=np.float32)
        core[user_ids == "bob"] = [2 * x for x in first_axis]
        return PageVectors(core, user_ids == "bob", np.ones((len(user_ids), 1), np.float32))

    users = np.array(["ann", "bob", "cyd", "bob"])
    ones = np.ones(len(users), dtype=np.float32)
    tiles = ShownTiles(
        users, np.full(len(users), "t1"), np.full(len(users), epoch_microseconds(NOON + HOUR)),
        np.full(len(users), "tv"), np.array([0, 1, 2, 3]), ones, ones, ones,
    )  # fmt: skip
    examples = ranking_examples(gateway, tiles, retrieval, solved_for_bob)
    scores = examples.matrix[:, RANKING_FEATURES.index("als_score")]
    np.testing.assert_array_equal(scores, [3, 6, np.nan, 6])  # stored, solved, of whom nothing is known

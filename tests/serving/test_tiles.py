from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from feature_repo.transforms.candidate_mix import merge
from serving.candidates.query import PageRequest, Query
from serving.homepage import query_of
from serving.members import unknown_member
from serving.page.placing import PlacedRow
from serving.page.ranked import Ranked
from serving.tiles import describe


@pytest.fixture
def query(small: Any) -> Query:
    request = PageRequest("stranger", "tv", small.time[0])
    return query_of(small.service.state, request, unknown_member("stranger"))


def answer(*rows: int) -> np.ndarray:
    return np.array(rows, dtype=np.intp)


MERGED = merge([("als", answer(9, 3)), ("trending", answer(4, 3)), ("new_titles", answer(5))], 160, {})
UNRANKED = Ranked(MERGED.rows, None)


def test_tiles_are_numbered_from_one_and_named(query: Query) -> None:
    [row] = describe(query, [PlacedRow("top_picks", "Popular Now", [9, 4])], MERGED, UNRANKED)
    assert [(t.position, t.title_id, t.name) for t in row.tiles] == [
        (1, "t009", "Title 9"), (2, "t004", "Title 4"),
    ]  # fmt: skip
    assert row.seed_title_id is None


def test_a_tile_names_every_generator_that_found_it_and_the_reason_of_the_most_personal(query: Query) -> None:
    [row] = describe(query, [PlacedRow("top_picks", "Popular Now", [3, 4, 5])], MERGED, UNRANKED)
    assert [tile.sources for tile in row.tiles] == [["als", "trending"], ["trending"], ["new_titles"]]
    assert [tile.reason for tile in row.tiles] == ["Matches your taste", "Trending", "New"]


@pytest.mark.parametrize(
    ("placed", "reason"),
    [
        (PlacedRow("because_you_watched", "Because You Watched It", [3], 7), "Because You Watched It"),
        (PlacedRow("trending_now", "Trending Now", [3]), "Trending now"),
        (PlacedRow("new_releases", "New Releases", [3]), "New"),
    ],
)  # fmt: skip
def test_rows_with_a_reason_give_it_to_their_tiles(query: Query, placed: PlacedRow, reason: str) -> None:
    [row] = describe(query, [placed], MERGED, UNRANKED)
    assert row.tiles[0].reason == reason
    assert row.seed_title_id == (None if placed.seed is None else "t007")


def test_scores_are_those_of_retrieval_and_of_the_ranker(query: Query) -> None:
    scores = np.arange(len(MERGED.rows), 0, -1, dtype=np.float32)
    page = [PlacedRow("genre", "Drama", MERGED.rows.tolist())]
    [row] = describe(query, page, MERGED, Ranked(MERGED.rows, scores))
    assert [tile.ranking_score for tile in row.tiles] == scores.tolist()
    assert [tile.retrieval_score for tile in row.tiles] == pytest.approx(MERGED.scores.tolist())
    [unranked] = describe(query, page, MERGED, UNRANKED)
    assert {tile.ranking_score for tile in unranked.tiles} == {None}


def test_a_page_without_rows_has_none(query: Query) -> None:
    assert describe(query, [], MERGED, UNRANKED) == []

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from feature_repo.page.assembly import Page, PlacedRow
from feature_repo.page.board import Board
from feature_repo.page.rules import PageRules
from feature_repo.transforms.candidate_mix import merge
from serving.api.models import Row
from serving.candidates.query import PageRequest, Query
from serving.homepage import query_of
from serving.members import read_member, unknown_member
from serving.page.ingredients import ingredients_of
from serving.page.ranked import Ranked
from serving.tiles import EXPLORED, describe


@pytest.fixture
def query(small: Any) -> Query:
    request = PageRequest("stranger", "tv", small.time[0])
    return query_of(small.service.state, request, unknown_member("stranger"))


def answer(*rows: int) -> np.ndarray:
    return np.array(rows, dtype=np.intp)


MERGED = merge([("als", answer(9, 3)), ("trending", answer(4, 3)), ("new_titles", answer(5))], 160, {})
UNRANKED = Ranked(MERGED.rows, MERGED.scores, MERGED.scores)


def described(
    query: Query, *rows: PlacedRow, ranked: Ranked = UNRANKED, explored: dict[int, float] | None = None
) -> list[Row]:
    """Rows of catalogue rows, as places of the shelf that ``ranked`` makes."""
    rules = PageRules()
    parts = ingredients_of(query, ranked, {}, rules)
    place_of = {row: place for place, row in enumerate(ranked.rows.tolist())}
    page = Page(Board(parts.shelf, np.arange(len(parts.shelf)), rules))
    page.rows = [PlacedRow(r.row_type, [place_of[t] for t in r.places], r.seed, r.genre) for r in rows]
    page.propensities = {place_of[title]: p for title, p in (explored or {}).items()}
    return describe(query, page, MERGED, ranked)


def test_tiles_are_numbered_from_one_and_named(query: Query) -> None:
    [row] = described(query, PlacedRow("top_picks", [9, 4]))
    assert [(t.position, t.title_id, t.name) for t in row.tiles] == [
        (1, "t009", "Title 9"), (2, "t004", "Title 4"),
    ]  # fmt: skip
    assert row.seed_title_id is None


def test_a_tile_names_every_generator_that_found_it_and_the_reason_of_the_most_personal(query: Query) -> None:
    [row] = described(query, PlacedRow("top_picks", [3, 4, 5]))
    assert [tile.sources for tile in row.tiles] == [["als", "trending"], ["trending"], ["new_titles"]]
    assert [tile.reason for tile in row.tiles] == ["Matches your taste", "Trending", "New"]


@pytest.mark.parametrize(
    ("placed", "title", "reason"),
    [
        (PlacedRow("because_you_watched", [3], 7), *["Because You Watched Title 7"] * 2),
        (PlacedRow("trending_now", [3]), "Trending Now", "Trending now"),
        (PlacedRow("new_releases", [3]), "New Releases", "New"),
        (PlacedRow("genre", [3], genre=6), "Comedy", "Matches your taste"),
        (PlacedRow("top_picks", [3]), "Popular Now", "Matches your taste"),
    ],
)  # fmt: skip
def test_rows_are_named_and_those_with_a_reason_give_it_to_their_tiles(
    query: Query, placed: PlacedRow, title: str, reason: str
) -> None:
    [row] = described(query, placed)
    assert (row.title, row.tiles[0].reason) == (title, reason)
    assert row.seed_title_id == (None if placed.seed is None else "t007")


def test_top_picks_are_for_whom_we_know(small: Any) -> None:
    member = read_member(small.features, "ana", small.time[0])
    known = query_of(small.service.state, PageRequest("ana", "tv", small.time[0]), member)
    assert described(known, PlacedRow("top_picks", [3]))[0].title == "Top Picks for You"


def test_scores_are_those_of_retrieval_and_of_the_ranker(query: Query) -> None:
    scores = np.arange(len(MERGED.rows), 0, -1, dtype=np.float32)
    row = PlacedRow("genre", MERGED.rows.tolist(), genre=9)
    [ranked] = described(query, row, ranked=Ranked(MERGED.rows, scores, MERGED.scores, scores))
    assert [tile.ranking_score for tile in ranked.tiles] == scores.tolist()
    assert [tile.retrieval_score for tile in ranked.tiles] == pytest.approx(MERGED.scores.tolist())
    [unranked] = described(query, row)
    assert {tile.ranking_score for tile in unranked.tiles} == {None}


def test_an_explored_tile_says_so_and_with_which_probability(query: Query) -> None:
    [row] = described(query, PlacedRow("top_picks", [9, 4]), explored={4: 0.125})
    assert [(tile.propensity, tile.reason) for tile in row.tiles] == [
        (1.0, "Matches your taste"), (0.125, EXPLORED),
    ]  # fmt: skip


def test_a_page_without_rows_has_none(query: Query) -> None:
    assert described(query) == []

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from serving.candidates.answer import Candidates
from serving.candidates.query import PageRequest, Query
from serving.homepage import query_of
from serving.members import read_member
from serving.page.assembly import Ingredients, assemble, popular_page
from serving.page.layout import Layout
from serving.page.ranked import Ranked

EVEN = list(range(2, 160, 2))  # titles of no franchise
SHORT_ROWS = Layout(
    ranked=20, top_picks=4, because_you_watched=4, trending_now=4, new_releases=4, genre=4, genre_rows=1,
    shortest_row=3, fewest_tiles=10, genres_in_view=0,
)  # fmt: skip


def candidates(*rows: int, seed: int | None = None) -> Candidates:
    return Candidates(np.array(rows, dtype=np.intp), np.arange(len(rows), 0, -1, dtype=np.float32), seed)


@pytest.fixture
def ingredients(small: Any) -> Callable[..., Ingredients]:
    now = small.time[0]
    member = read_member(small.features, "ana", now)
    query = query_of(small.service.state, PageRequest("ana", "tv", now), member)

    def gather(
        ranked: list[int],
        seeds: Any = (),
        trending: tuple[int, ...] = (),
        new: tuple[int, ...] = (),
        begun: tuple[int, ...] = (),
    ) -> Ingredients:
        order = Ranked(np.array(ranked, dtype=np.intp), None)
        return Ingredients(
            query, order, [candidates(*begun)], seeds, [candidates(*trending)], [candidates(*new)]
        )

    return gather


def shape(page: Any) -> list[tuple[str, list[int]]]:
    return [(row.row_type, row.titles) for row in page]


def test_rows_take_what_the_rows_before_them_left(ingredients: Callable[..., Ingredients]) -> None:
    seed = candidates(50, 8, 14, 12, seed=10)
    parts = ingredients(EVEN, [seed], trending=(2, 60, 12, 62, 64), new=(60, 70, 72, 74))
    assert shape(assemble(parts, SHORT_ROWS))[:4] == [
        ("top_picks", [2, 4, 6, 8]),
        ("because_you_watched", [12, 14, 50]),  # in the order of the ranker
        ("trending_now", [60, 62, 64]),  # in the order of the chart
        ("new_releases", [70, 72, 74]),
    ]


def test_what_was_begun_comes_first_in_its_own_order_and_nowhere_else(
    ingredients: Callable[..., Ingredients],
) -> None:
    page = shape(assemble(ingredients(EVEN, trending=(6, 60, 62, 64), begun=(6, 2)), SHORT_ROWS))
    assert page[0] == ("continue_watching", [6, 2])
    assert page[1] == ("top_picks", [4, 8, 10, 12])
    assert page[2] == ("trending_now", [60, 62, 64])
    assert not {2, 6} & {title for _, titles in page[1:] for title in titles}


def test_a_row_too_short_is_left_out_and_its_titles_stay_free(
    ingredients: Callable[..., Ingredients],
) -> None:
    parts = ingredients(EVEN, trending=(60, 62), new=(60, 62, 64))
    types = [row.row_type for row in assemble(parts, SHORT_ROWS)]
    assert types == ["top_picks", "new_releases", "genre"]


def test_trending_titles_that_are_no_candidates_stay_out(ingredients: Callable[..., Ingredients]) -> None:
    page = shape(assemble(ingredients(EVEN, trending=(1, 3, 60, 62, 64)), SHORT_ROWS))
    assert page[1] == ("trending_now", [60, 62, 64])


def test_genre_rows_choose_from_the_best_the_favourite_first(
    ingredients: Callable[..., Ingredients],
) -> None:
    page = assemble(ingredients(EVEN), SHORT_ROWS)
    assert page[1].title == "Comedy"
    assert all(row <= EVEN[19] for row in page[1].titles)


def test_a_short_page_is_topped_up_from_the_rest(ingredients: Callable[..., Ingredients]) -> None:
    layout = Layout(ranked=4, fewest_tiles=10, genre_rows=0, shortest_row=4, genres_in_view=0, top_picks=4)
    assert shape(assemble(ingredients(EVEN), layout)) == [("top_picks", EVEN[:10])]


def test_a_page_never_exceeds_its_most_tiles(ingredients: Callable[..., Ingredients]) -> None:
    layout = Layout(most_tiles=15, fewest_tiles=0, genres_in_view=0)
    page = assemble(ingredients(EVEN, trending=(60, 62, 64, 66)), layout)
    assert [len(row.titles) for row in page] == [12]


@pytest.mark.parametrize("ranked", [[], [2], [2, 4]])
def test_a_few_candidates_make_a_small_page(
    ingredients: Callable[..., Ingredients], ranked: list[int]
) -> None:
    page = assemble(ingredients(ranked), Layout())
    assert [title for row in page for title in row.titles] == ranked


def test_the_plain_page_is_one_row_of_the_fewest_tiles(ingredients: Callable[..., Ingredients]) -> None:
    parts = ingredients(EVEN)
    query: Query = parts.query
    assert shape(popular_page(query, parts.ranked, SHORT_ROWS)) == [("top_picks", EVEN[:10])]
    assert popular_page(query, ingredients([]).ranked, SHORT_ROWS) == []

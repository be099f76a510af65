from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from feature_repo.page.assembly import Page, assemble, plain_page
from feature_repo.page.exploration import draws_of
from feature_repo.page.rules import PageRules
from feature_repo.page.shelf import Ingredients, SeedList, Shelf

PartsOf = Callable[..., Ingredients]
ShelfOf = Callable[..., Shelf]
SMALL: dict[str, Any] = {
    "ranked": 20, "top_picks": 4, "because_you_watched": 3, "trending_now": 3, "new_releases": 3, "genre": 3,
    "genre_rows": 1, "shortest_row": 3, "fewest_tiles": 0, "genres_in_view": 0, "variety": "none",
    "exploration_share": 0,
}  # fmt: skip


ALIKE = {place: [0] for place in range(10)}


def page_of(parts: Ingredients, **rules: Any) -> Page:
    return assemble(parts, PageRules.model_validate(SMALL | rules), draws_of("page"))


def shape(page: Page) -> list[tuple[str, list[int]]]:
    return [(row.row_type, row.places) for row in page.rows]


def test_rows_take_what_the_rows_above_them_left_in_the_order_of_their_promise(
    shelf_of: ShelfOf, parts_of: PartsOf
) -> None:
    parts = parts_of(
        shelf_of(30), seeds=[SeedList(99, [29, 1, 5, 8, 9])], trending=[2, 20, 8, 21, 22],
        new_titles=[20, 25, 26, 27], favourite_genres=[4],
    )  # fmt: skip
    page = page_of(parts)
    assert shape(page) == [
        ("top_picks", [0, 1, 2, 3]),
        ("because_you_watched", [5, 8, 9]),  # the most relevant neighbours that were left
        ("genre", [4, 10, 16]),
        ("trending_now", [20, 21, 22]),  # in the order of the chart
        ("new_releases", [25, 26, 27]),
    ]
    assert (page.rows[1].seed, page.rows[2].genre) == (99, 4)


def test_what_was_begun_comes_first_in_its_own_order_and_nowhere_else(
    shelf_of: ShelfOf, parts_of: PartsOf
) -> None:
    parts = parts_of(shelf_of(30), begun=[6, 2, 0], trending=[6, 20, 21, 22])
    page = page_of(parts, continue_watching=2)
    assert shape(page) == [
        ("continue_watching", [6, 2]),  # and 0, for which there was no room, nowhere
        ("top_picks", [1, 3, 4, 5]),
        ("trending_now", [20, 21, 22]),
    ]


def test_one_begun_title_is_row_enough(shelf_of: ShelfOf, parts_of: PartsOf) -> None:
    assert shape(page_of(parts_of(shelf_of(30), begun=[6])))[0] == ("continue_watching", [6])


def test_a_row_too_short_is_dropped_and_its_titles_are_free_for_the_next(
    shelf_of: ShelfOf, parts_of: PartsOf
) -> None:
    franchises = {10: 1, 11: 1, 12: 1}
    parts = parts_of(
        shelf_of(30, franchises=franchises), trending=[10, 11, 12], new_titles=[10, 20, 21]
    )  # the chart's three are of one franchise
    assert shape(page_of(parts)) == [("top_picks", [0, 1, 2, 3]), ("new_releases", [10, 20, 21])]


def test_of_the_genres_only_so_many_get_a_row_and_a_short_one_makes_way(
    shelf_of: ShelfOf, parts_of: PartsOf
) -> None:
    genres = {place: [5] for place in range(20)} | {place: [1] for place in (7, 8, 9)} | {6: [2]}
    page = page_of(parts_of(shelf_of(20, genres=genres), favourite_genres=[2, 1, 5]))
    assert shape(page)[1:] == [("genre", [7, 8, 9])]


def test_a_short_page_is_filled_up_from_all_candidates(shelf_of: ShelfOf, parts_of: PartsOf) -> None:
    page = page_of(parts_of(shelf_of(30)), ranked=4, fewest_tiles=10)
    assert shape(page) == [("top_picks", list(range(10)))]
    assert page.relaxed == []


def test_a_page_never_exceeds_its_most_tiles(shelf_of: ShelfOf, parts_of: PartsOf) -> None:
    parts = parts_of(shelf_of(30), trending=[10, 11, 12, 13], new_titles=[20, 21, 22])
    assert [len(row.places) for row in page_of(parts, most_tiles=8).rows] == [4, 3]


@pytest.mark.parametrize("candidates", [0, 1, 2])
def test_a_few_candidates_make_a_small_page_that_says_so(
    shelf_of: ShelfOf, parts_of: PartsOf, candidates: int
) -> None:
    page = page_of(parts_of(shelf_of(candidates)), fewest_tiles=40)
    assert page.places == list(range(candidates))
    assert page.relaxed == ["fewest_tiles"]


def test_rules_give_way_in_their_order_for_the_fewest_tiles(shelf_of: ShelfOf, parts_of: PartsOf) -> None:
    """All titles are of genre 0 and one franchise but the first: caps and first tiles must give way."""
    shelf = shelf_of(10, genres=ALIKE, franchises=dict.fromkeys(range(1, 10), 7))
    parts = parts_of(shelf)
    page = page_of(parts, fewest_tiles=8, per_genre=2, per_franchise=2, genres_in_view=2)
    assert len(page.places) == 8
    assert page.relaxed == ["genres_in_view", "genre_cap", "franchise_cap", "franchise_front"]


def test_only_the_rules_that_must_give_way_do(shelf_of: ShelfOf, parts_of: PartsOf) -> None:
    shelf = shelf_of(10, genres=ALIKE)
    page = page_of(parts_of(shelf), fewest_tiles=8, per_genre=2)
    assert page.relaxed == ["genre_cap"]


def test_explored_tiles_stand_behind_the_first_of_top_picks_with_their_propensities(
    shelf_of: ShelfOf, parts_of: PartsOf
) -> None:
    rules = {"top_picks": 12, "exploration_share": 0.1, "exploration_pool": 40, "fewest_tiles": 40}
    page = page_of(parts_of(shelf_of(80)), **rules)
    assert page.top_picks is not None
    explored = [place for place in page.top_picks.places if place in page.propensities]
    assert len(explored) == len(page.propensities) == 4  # a tenth of the 40 that were bound to be shown
    assert [page.top_picks.places.index(place) for place in explored] == [5, 7, 9, 11]
    assert all(20 <= place < 60 for place in explored)
    assert all(0 < propensity < 1 for propensity in page.propensities.values())


def test_the_same_page_id_explores_the_same_and_another_may_not(shelf_of: ShelfOf, parts_of: PartsOf) -> None:
    rules = PageRules.model_validate(SMALL | {"exploration_share": 0.3, "fewest_tiles": 40})

    def explored(page_id: str) -> tuple[int, ...]:
        return tuple(assemble(parts_of(shelf_of(120)), rules, draws_of(page_id)).propensities)

    assert explored("a") == explored("a")
    assert len({explored(str(number)) for number in range(20)}) > 10


def test_a_household_of_two_languages_sees_both(shelf_of: ShelfOf, parts_of: PartsOf) -> None:
    shelf = shelf_of(40, languages=dict.fromkeys(range(30, 40), 1))
    page = page_of(
        parts_of(shelf, household_languages=[0, 1]), top_picks=10, per_language=2, tiles_in_view=10
    )
    assert page.places == [0, 1, 2, 3, 4, 5, 6, 7, 31, 30]
    assert page.relaxed == []


def test_the_plain_page_is_one_row_of_the_fewest_tiles(shelf_of: ShelfOf, parts_of: PartsOf) -> None:
    rules = PageRules.model_validate(SMALL | {"fewest_tiles": 10})
    assert shape(plain_page(parts_of(shelf_of(30)), rules)) == [("top_picks", list(range(10)))]
    assert plain_page(parts_of(shelf_of(0)), rules).rows == []


def test_rules_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="fewest_tiles = 70 is above most_tiles = 60"):
        PageRules(fewest_tiles=70, most_tiles=60)


def test_places_are_of_the_shelf_and_rows_of_the_catalogue(shelf_of: ShelfOf) -> None:
    shelf = shelf_of(3)
    assert shelf.vectors_of([2]).tolist() == np.eye(3)[[2]].tolist()

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from feature_repo.page.board import Board
from feature_repo.page.row_plans import RowPlan, by_value, pool_of, row_plans
from feature_repo.page.rules import PageRules
from feature_repo.page.shelf import Ingredients, SeedList, Shelf

RULES = PageRules(ranked=12, genre_rows=1, because_you_watched=2, shortest_row=2)


def test_genre_rows_are_offered_for_the_strongest_genres_from_the_best(
    shelf_of: Callable[..., Shelf], parts_of: Callable[..., Ingredients]
) -> None:
    plans = row_plans(parts_of(shelf_of(20), favourite_genres=[4, 1, 0]), RULES)
    genres = [(plan.genre, plan.places) for plan in plans if plan.row_type == "genre"]
    assert genres == [(4, [4, 10]), (1, [1, 7])]  # two to choose from for one row; place 13 is not among 12


def test_a_seeds_row_chooses_among_its_most_relevant_neighbours(
    shelf_of: Callable[..., Shelf], parts_of: Callable[..., Ingredients]
) -> None:
    parts = parts_of(shelf_of(20), seeds=[SeedList(99, [19, 3, 5, 7, 9, 11, 13, 15, 17])])
    plans = row_plans(parts, RULES)
    assert plans[0].seed == 99
    assert plans[0].places == [3, 5, 7, 9, 11, 13, 15, 17]  # four times two
    assert pool_of(parts, plans, RULES).tolist() == [*range(12), 13, 15, 17]
    far = parts_of(shelf_of(20), seeds=[SeedList(99, [19, 15, 7])])
    assert pool_of(far, row_plans(far, RULES), RULES).tolist() == [*range(12), 15, 19]


def test_rows_stand_in_the_order_of_what_their_open_titles_promise(shelf_of: Callable[..., Shelf]) -> None:
    shelf = shelf_of(10)
    board = Board(shelf, np.arange(10), RULES)
    board.take([0, 1])
    taken = RowPlan("genre", [0, 1, 8, 9], 2)  # what was the best of it is on the page already
    best, middle = RowPlan("trending_now", [2, 3], 2), RowPlan("genre", [4, 5, 6], 2)
    short = RowPlan("genre", [2], 2)
    assert by_value([short, taken, middle, best], board, RULES) == [best, middle, taken, short]


def test_the_first_tiles_of_a_row_count_most(shelf_of: Callable[..., Shelf]) -> None:
    board = Board(shelf_of(10), np.arange(10), RULES)
    late, early = RowPlan("trending_now", [6, 2], 2), RowPlan("new_releases", [2, 6], 2)
    assert by_value([late, early], board, RULES) == [early, late]

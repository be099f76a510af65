from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from feature_repo.page.board import Board
from feature_repo.page.rules import FRANCHISE_CAP, FRANCHISE_FRONT, GENRE_CAP, PageRules
from feature_repo.page.shelf import Shelf

BoardOf = Callable[..., Board]
EVERY = slice(None)


@pytest.fixture
def board_of(shelf_of: Callable[..., Shelf]) -> BoardOf:
    """A board over n titles, all of them in the pool; relevance alone counts unless the rules say more."""

    def build(n: int, rules: dict[str, Any] | None = None, **shelf: Any) -> Board:
        chosen = PageRules.model_validate({"variety": "none", "ranked": n or 1, **(rules or {})})
        return Board(shelf_of(n, **shelf), np.arange(n), chosen)

    return build


def all_of(board: Board) -> np.ndarray:
    return np.ones(len(board.pool), dtype=np.bool_)


def test_the_best_open_titles_are_chosen_and_are_on_the_page(board_of: BoardOf) -> None:
    board = board_of(6)
    assert board.choose_best(all_of(board), 2) == [0, 1]
    assert board.choose_best(all_of(board), 2) == [2, 3]
    assert board.used == {0, 1, 2, 3}
    assert board.choose_best(board.in_pool([0, 5]), 2) == [5]


def test_titles_given_back_may_come_again(board_of: BoardOf) -> None:
    board = board_of(4, franchises={0: 1, 1: 1}, rules={"per_franchise": 1})
    assert board.choose_best(all_of(board), 2) == [0, 2]
    board.give_back([0, 2])
    assert board.open_places.tolist() == [0, 1, 2, 3]


def test_what_is_ruled_out_never_comes(board_of: BoardOf) -> None:
    board = board_of(4)
    board.rule_out([0, 2])
    assert board.choose_best(all_of(board), 4) == [1, 3]
    board.give_back([1])
    assert board.open_places.tolist() == [1]


def test_a_second_title_of_a_franchise_waits_behind_the_first_tiles(board_of: BoardOf) -> None:
    board = board_of(6, franchises={0: 1, 1: 1}, rules={"franchise_free_tiles": 3})
    assert board.choose_best(all_of(board), 5) == [0, 2, 3, 1, 4]


def test_where_the_first_tiles_are_never_filled_the_second_of_a_franchise_stays_out(
    board_of: BoardOf,
) -> None:
    board = board_of(3, franchises={0: 1, 1: 1}, rules={"franchise_free_tiles": 5})
    assert board.choose_best(all_of(board), 5) == [0, 2]
    ordered = board_of(3, franchises={0: 1, 1: 1}, rules={"franchise_free_tiles": 5})
    assert ordered.choose_in_order([1, 0, 2], 5) == [1, 2]


def test_rows_of_their_own_order_keep_it_behind_the_first_tiles(board_of: BoardOf) -> None:
    board = board_of(6, franchises={4: 1, 5: 1}, rules={"franchise_free_tiles": 3})
    assert board.choose_in_order([5, 4, 3, 0, 1], 4) == [5, 3, 0, 4]
    assert board.choose_in_order([5, 1, 2], 4) == [1, 2]


def test_a_franchise_at_its_cap_is_closed_until_the_cap_gives_way(board_of: BoardOf) -> None:
    rules = {"per_franchise": 2, "franchise_free_tiles": 0}
    board = board_of(5, franchises={0: 1, 1: 1, 2: 1}, rules=rules)
    assert board.choose_best(all_of(board), 5) == [0, 1, 3, 4]
    assert board.full_franchise(2)
    assert board.same_franchise(2) == [0, 1]
    board.relax(FRANCHISE_CAP)
    assert board.open_places.tolist() == [2]


def test_a_genre_at_its_cap_is_closed_until_the_cap_gives_way(board_of: BoardOf) -> None:
    genres = {0: [0], 1: [0, 1], 2: [0], 3: [1]}
    board = board_of(4, genres=genres, rules={"per_genre": 2})
    assert board.choose_in_order([0, 1, 2, 3], 4) == [0, 1, 3]
    assert board.full_genres(2).tolist() == [0]
    board.relax(GENRE_CAP)
    assert board.open_places.tolist() == [2]


def test_without_first_tiles_a_franchise_may_repeat_at_once(board_of: BoardOf) -> None:
    board = board_of(3, franchises={0: 1, 1: 1})
    board.relax(FRANCHISE_FRONT)
    assert board.choose_best(all_of(board), 3) == [0, 1, 2]


def test_a_title_similar_to_three_on_the_page_is_penalised(board_of: BoardOf) -> None:
    """Titles 0 to 3 are alike; relevance 1, 0.8, 0.6, 0.4, 0.2, 0; the penalty takes 0.3 off 0.4."""
    vectors = np.eye(6, dtype=np.float32)[[0, 0, 0, 0, 4, 5]]
    board = board_of(6, vectors=vectors, rules={"crowd": 3, "crowding_penalty": 0.3})
    assert board.choose_best(all_of(board), 4) == [0, 1, 2, 4]
    assert board.crowded_by(3) == [0, 1, 2]


def test_a_crowd_in_the_rows_above_counts_too(board_of: BoardOf) -> None:
    vectors = np.eye(6, dtype=np.float32)[[0, 0, 0, 0, 4, 5]]
    board = board_of(6, vectors=vectors, rules={"crowd": 3, "crowding_penalty": 0.3})
    board.settle(board.choose_in_order([0, 1, 2], 3))
    assert board.choose_best(all_of(board), 1) == [4]


def test_variety_weighs_a_row_against_the_rows_above_and_not_against_itself(board_of: BoardOf) -> None:
    """0 and 1 are alike, so are 2 and 3. The first row takes 0 and 1 all the same; then 2 counts for more
    than 1 would have."""
    vectors = np.eye(6, dtype=np.float32)[[0, 0, 2, 2, 4, 4]]
    rules = {"variety": "mmr", "variety_weight": 0.5, "crowding_penalty": 0}
    board = board_of(6, vectors=vectors, rules=rules)
    first = board.choose_best(all_of(board), 3)
    assert first == [0, 1, 2]
    board.settle(first)
    assert board.choose_best(all_of(board), 1) == [4]  # 3, more relevant, is like 2


def test_an_empty_board_offers_nothing(board_of: BoardOf) -> None:
    board = board_of(0)
    assert board.choose_best(all_of(board), 3) == []
    assert board.choose_in_order([], 3) == []
    board.settle([])

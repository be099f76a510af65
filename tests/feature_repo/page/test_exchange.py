from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from feature_repo.page.board import Board
from feature_repo.page.exchange import View, widen
from feature_repo.page.rules import PageRules
from feature_repo.page.shelf import Shelf

ALIKE = {place: [0] for place in range(6)}


def board_with(shelf: Shelf, shown: list[int], **rules: Any) -> Board:
    board = Board(shelf, np.arange(len(shelf)), PageRules.model_validate(rules))
    board.take(shown)
    return board


def test_last_tiles_are_exchanged_for_the_most_relevant_of_new_genres(
    shelf_of: Callable[..., Shelf],
) -> None:
    shelf = shelf_of(10, genres=ALIKE)  # 6, 7, 8, 9 have genres 0, 1, 2, 3
    host = [0, 1, 2, 3]
    board = board_with(shelf, host)
    assert widen([host], host, board, View(40, 3, [], 0)) == [(3, 7), (2, 8)]
    assert host == [0, 1, 8, 7]
    assert board.used == {0, 1, 7, 8}


def test_a_page_that_spans_enough_by_other_rows_stays_as_it_is(shelf_of: Callable[..., Shelf]) -> None:
    host, other = [0, 1], [7, 8]
    board = board_with(shelf_of(10, genres=ALIKE), [*host, *other])
    assert widen([host, other], host, board, View(40, 3, [], 0)) == []
    assert host == [0, 1]


def test_only_tiles_in_view_count_and_are_exchanged(shelf_of: Callable[..., Shelf]) -> None:
    first, host = [0, 1], [2, 3, 7]
    board = board_with(shelf_of(10, genres=ALIKE), [*first, *host])
    assert widen([first, host], host, board, View(4, 2, [], 0)) == [(3, 8)]
    assert host == [2, 8, 7]  # 7 stands outside the view; 3 made room


def test_what_cannot_be_met_changes_nothing(shelf_of: Callable[..., Shelf]) -> None:
    host = [0, 1]
    board = board_with(shelf_of(6, genres=ALIKE), host)
    assert widen([host], host, board, View(40, 4, [0, 9], 1)) == []
    assert host == [0, 1]


def test_a_households_second_language_comes_into_view_and_costs_no_genre(
    shelf_of: Callable[..., Shelf],
) -> None:
    """0, 1 and 2 have a genre each; 8, of the second language, has that of 2 and takes its place."""
    shelf = shelf_of(10, genres={8: [2]}, languages={8: 1})
    host = [0, 1, 2]
    board = board_with(shelf, host)
    assert widen([host], host, board, View(40, 3, [0, 1], 1)) == [(2, 8)]
    assert host == [0, 1, 8]


def test_a_newcomer_must_not_repeat_a_franchise_among_the_first_tiles(
    shelf_of: Callable[..., Shelf],
) -> None:
    shelf = shelf_of(10, genres=ALIKE, franchises={0: 5, 7: 5})
    host = [0, 1]
    board = board_with(shelf, host)
    widen([host], host, board, View(40, 2, [], 0))
    assert host == [0, 8]


def test_a_closed_title_does_not_come_in(shelf_of: Callable[..., Shelf]) -> None:
    shelf = shelf_of(10, genres=ALIKE, franchises={0: 5, 7: 5})
    host = [0, 1]
    board = board_with(shelf, host, per_franchise=1, franchise_free_tiles=0)
    widen([host], host, board, View(40, 2, [], 0))
    assert host == [0, 8]

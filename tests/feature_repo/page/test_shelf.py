from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from feature_repo.page.shelf import (
    UNKNOWN_LANGUAGE,
    PlaceFinder,
    Shelf,
    favourite_genres,
    household_languages,
)


def test_rows_are_found_on_the_shelf_once_and_strangers_left_out() -> None:
    finder = PlaceFinder(np.array([40, 7, 12]), 50)
    assert finder.places_of(np.array([12, 3, 40]), np.array([7, 12])) == [2, 0, 1]
    assert finder.places_of() == []


def test_relevance_is_scaled_by_the_best(shelf_of: Callable[..., Shelf]) -> None:
    shelf = shelf_of(5)  # 1, 0.75, 0.5, 0.25, 0
    assert shelf.scaled_relevance(3) == pytest.approx([1.0, 0.5, 0.0, -0.5, -1.0])
    assert shelf.scaled_relevance(1) == pytest.approx([0.0] * 5)  # one alone spans nothing
    assert shelf_of(0).scaled_relevance(3).tolist() == []


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        ([1, 1, 1, 1, 2], [1, 2]),
        ([1, 1, 1, 1, 1, 2], []),  # one in six is too little
        ([1, 1, UNKNOWN_LANGUAGE, UNKNOWN_LANGUAGE, UNKNOWN_LANGUAGE, 2], [1, 2]),
        ([UNKNOWN_LANGUAGE], []),
        ([], []),
    ],
)
def test_a_household_has_the_languages_it_watches_often(languages: list[int], expected: list[int]) -> None:
    assert household_languages(np.array(languages, dtype=np.int64), 0.2) == expected


def test_favourite_genres_are_those_of_the_best_by_preference_then_by_number() -> None:
    best = np.zeros((3, 5), dtype=np.bool_)
    best[0, [1, 3]] = best[1, [3, 4]] = best[2, 1] = best[2, 3] = True  # 1 twice, 3 thrice, 4 once
    assert favourite_genres(np.array([0.9, 0.1, 0.0, 0.1, 0.3]), best) == [4, 3, 1]  # of 0 there is none
    assert favourite_genres(np.full(5, np.nan), best) == [3, 1, 4]

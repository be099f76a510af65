from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from feature_repo.page.rules import PageRules
from feature_repo.page.shelf import Shelf
from feature_repo.page.verdict import relaxed_rules

KEPT: dict[str, Any] = {"fewest_tiles": 2, "genres_in_view": 0, "tiles_in_view": 2}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, []),
        ({"fewest_tiles": 5}, ["fewest_tiles"]),
        ({"genres_in_view": 3}, ["genres_in_view"]),
        ({"per_language": 2}, ["language_variety"]),
        ({"per_franchise": 1}, ["franchise_cap"]),
        ({"franchise_free_tiles": 3}, ["franchise_front"]),
        ({"per_genre": 1}, ["genre_cap"]),
        ({"per_genre": 1, "genres_in_view": 3}, ["genres_in_view", "genre_cap"]),
    ],
)
def test_each_broken_rule_is_named(
    shelf_of: Callable[..., Shelf], rules: dict[str, Any], expected: list[str]
) -> None:
    """0 and 2 are of a franchise, 0 and 3 of genre 0; 1 is of the household's other language."""
    shelf = shelf_of(4, franchises={0: 7, 2: 7}, genres={0: [0], 1: [1], 2: [2], 3: [0]}, languages={1: 1})
    chosen = PageRules.model_validate(KEPT | {"per_language": 1, "franchise_free_tiles": 2} | rules)
    assert relaxed_rules(shelf, [], [[0, 1, 2], [3]], [0, 1], chosen) == expected


def test_what_was_begun_counts_but_breaks_no_cap(shelf_of: Callable[..., Shelf]) -> None:
    shelf = shelf_of(4, franchises={0: 7, 1: 7, 2: 7})
    rules = PageRules.model_validate(KEPT | {"per_franchise": 2})
    assert relaxed_rules(shelf, [0, 1, 2], [[3]], [], rules) == []
    assert relaxed_rules(shelf, [0, 1], [[2, 3]], [], rules) == ["franchise_cap"]

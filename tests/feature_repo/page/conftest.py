"""Small shelves whose pages can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from feature_repo.page.shelf import NO_FRANCHISE, Ingredients, Shelf

GENRES = 6


def make_shelf(
    n: int,
    *,
    franchises: dict[int, int] | None = None,
    genres: dict[int, Sequence[int]] | None = None,
    languages: dict[int, int] | None = None,
    vectors: np.ndarray | None = None,
) -> Shelf:
    """Titles on place i: relevance falling evenly from 1 to 0, genre i % GENRES, language 0, none similar."""
    table = np.zeros((n, GENRES), dtype=np.bool_)
    for place in range(n):
        table[place, list((genres or {}).get(place, [place % GENRES]))] = True
    named = np.full(n, NO_FRANCHISE, dtype=np.int64)
    spoken = np.zeros(n, dtype=np.int64)
    for place, franchise in (franchises or {}).items():
        named[place] = franchise
    for place, language in (languages or {}).items():
        spoken[place] = language
    chosen = np.eye(n, dtype=np.float32) if vectors is None else vectors
    return Shelf(np.arange(n), np.linspace(1, 0, n), table, named, spoken, chosen)


@pytest.fixture
def shelf_of() -> Callable[..., Shelf]:
    return make_shelf


@pytest.fixture
def parts_of() -> Callable[..., Ingredients]:
    """Ingredients around a shelf; whatever is not named is empty."""

    def gather(shelf: Shelf, **lists: Any) -> Ingredients:
        nothing: dict[str, Any] = {
            "begun": [], "seeds": [], "trending": [], "new_titles": [], "favourite_genres": [],
        }  # fmt: skip
        return Ingredients(shelf, **(nothing | lists))

    return gather

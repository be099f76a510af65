"""The titles that a page may be made of, and the lists in which its rows find them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

NO_FRANCHISE: Final = -1
UNKNOWN_LANGUAGE: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """n candidates, most relevant first; a *place* is a position on the shelf, 0 to n - 1.

    ``rows`` (n,) are rows of the catalogue, ``relevance`` float (n,) falls from place to place, ``genres``
    bool (n, G), ``franchises`` int (n,) with NO_FRANCHISE for none, ``languages`` int (n,) with
    UNKNOWN_LANGUAGE. ``vectors`` float32 (T, d), of unit length, are those of the whole catalogue: a page
    looks at few of them.
    """

    rows: NDArray[np.intp]
    relevance: NDArray[np.floating[Any]]
    genres: NDArray[np.bool_]
    franchises: NDArray[np.int64]
    languages: NDArray[np.int64]
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)

    def vectors_of(self, places: Sequence[int] | NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the vectors at some places, (len(places), d)."""
        return self.vectors[self.rows[places]]

    def scaled_relevance(self, best: int) -> NDArray[np.float64]:
        """Return the relevance, (n,), scaled so that the ``best`` first span 0 to 1."""
        relevance = np.asarray(self.relevance, dtype=np.float64)
        if not len(relevance):
            return relevance
        low, high = relevance[min(best, len(relevance)) - 1], relevance[0]
        return (relevance - low) / (high - low) if high > low else np.zeros(len(relevance))


class PlaceFinder:
    """Finds the places of catalogue rows on a shelf."""

    def __init__(self, rows: NDArray[np.intp], titles: int) -> None:
        self._places = np.full(titles, -1, dtype=np.int64)
        self._places[rows] = np.arange(len(rows))

    def places_of(self, *lists: NDArray[np.integer[Any]]) -> list[int]:
        """Return the distinct places of rows, list after list; what is not on the shelf is left out."""
        if not lists:
            return []
        places = self._places[np.concatenate(lists)]
        return list(dict.fromkeys(places[places >= 0].tolist()))


def numbered(names: NDArray[np.str_], none: int) -> NDArray[np.int64]:
    """Return a number for each distinct name, (n,), and ``none`` for "".

    >>> numbered(np.array(["b", "", "a", "b"]), -1).tolist()
    [2, -1, 1, 2]
    """
    distinct, numbers = np.unique(names, return_inverse=True)
    return np.where(distinct[numbers] == "", none, numbers)


@dataclass(frozen=True, slots=True, eq=False)
class SeedList:
    """Titles like a watched one: ``seed`` is its row in the catalogue, ``places`` theirs on the shelf."""

    seed: int
    places: list[int]


@dataclass(frozen=True, slots=True, eq=False)
class Ingredients:
    """All that a page is made of; every list holds places of the shelf.

    ``begun``, ``trending`` and ``new_titles`` stand in their generators' order, where the personal model has
    no say. What the member has begun stands in its own row only. ``favourite_genres`` are columns of
    ``shelf.genres``, strongest first; ``household_languages`` are empty unless the household watches in
    several.
    """

    shelf: Shelf
    begun: list[int]
    seeds: Sequence[SeedList]
    trending: list[int]
    new_titles: list[int]
    favourite_genres: Sequence[int]
    household_languages: Sequence[int] = ()


def favourite_genres(preference: NDArray[np.floating[Any]], best: NDArray[np.bool_]) -> list[int]:
    """Return the genres found among the best titles (n, G), the favourite first, ties by their number.

    ``preference`` (G,) is the member's decayed share of viewing per genre, NaN where nothing is known.
    """
    counts = best.sum(axis=0)
    order = np.lexsort((-counts, -np.nan_to_num(preference)))
    favourites: list[int] = order[counts[order] > 0].tolist()
    return favourites


def household_languages(languages: NDArray[np.int64], share: float) -> list[int]:
    """Return the languages that each hold ``share`` (0 to 1) of the latest titles, where there are several.

    ``languages`` (h,) are those of a member's latest titles, UNKNOWN_LANGUAGE where not known.

    >>> household_languages(np.array([3, 3, 3, 5, 3, 5, 7, 3, 3, 3]), 0.2)
    [3, 5]
    >>> household_languages(np.array([3, 3, 3, 3]), 0.2)
    []
    """
    known = languages[languages != UNKNOWN_LANGUAGE]
    spoken, counts = np.unique(known, return_counts=True)
    often: list[int] = spoken[counts >= share * max(len(known), 1)].tolist()
    return often if len(often) > 1 else []

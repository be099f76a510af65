"""The catalogue in memory: a title snapshot prepared once, so that a request only gathers and masks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.store import TitleSnapshot
from feature_repo.transforms.encoding import Arrays
from feature_repo.transforms.ranking import TITLE_INPUTS

Rows = NDArray[np.intp]
"""Row numbers of titles in the catalogue."""
Mask = NDArray[np.bool_]
"""One truth value per title of the catalogue."""

NO_FRANCHISE = -1
FULL_PAGE: Final = 80
"""Titles that a page holds at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """T titles by row. Immutable: a fresh snapshot makes a new one.

    ``genres`` is (T, genres) in the order of ``schema.GENRES``; ``franchises`` numbers franchises, with
    NO_FRANCHISE for none; ``available_since`` is in microseconds since 1970 UTC; ``newest_first`` lists
    all rows, latest arrival first, ties by views; ``model_versions`` names the model of each title's vector;
    ``cautious_limit`` is the maturity limit of somebody whose own cannot be read.
    """

    title_ids: tuple[str, ...]
    names: tuple[str, ...]
    row_of: dict[str, int]
    ranking_inputs: Arrays
    genres: NDArray[np.bool_]
    franchises: tuple[int, ...]
    maturity_level: NDArray[np.float64]
    available_since: NDArray[np.float64]
    newest_first: Rows
    everywhere: Mask
    allowed_in: dict[str, Mask]
    model_versions: NDArray[np.str_]
    cautious_limit: float
    taken_at: datetime

    def __len__(self) -> int:
        return len(self.title_ids)

    @classmethod
    def prepare(cls, snapshot: TitleSnapshot) -> Catalogue:
        """Lay a snapshot out for requests; raises ``KeyError`` naming a column that is missing."""
        columns = snapshot.columns
        everywhere, allowed_in = _country_masks(columns[s.COUNTRIES])
        since = columns[s.AVAILABLE_SINCE]
        views = np.nan_to_num(columns[s.VIEW_COUNT])
        return cls(
            title_ids=tuple(snapshot.title_ids.tolist()),
            names=tuple(columns[s.NAME].tolist()),
            row_of=snapshot.row_of,
            ranking_inputs={name: np.ascontiguousarray(columns[name]) for name in TITLE_INPUTS},
            genres=columns[s.GENRE_VECTOR] > 0,  # False for the NaN of a title without metadata
            franchises=_franchise_numbers(columns[s.FRANCHISE_ID]),
            maturity_level=columns[s.MATURITY_LEVEL],
            available_since=since,
            newest_first=np.lexsort((-views, -since)),  # NaN sorts last
            everywhere=everywhere,
            allowed_in=allowed_in,
            model_versions=columns[s.MODEL_VERSION],
            cautious_limit=_cautious_limit(columns[s.MATURITY_LEVEL][everywhere]),
            taken_at=snapshot.taken_at,
        )

    def gather(self, rows: Rows) -> Arrays:
        """Return TITLE_INPUTS of these rows, as ``ranking_features`` takes them."""
        return {name: column.take(rows, axis=0) for name, column in self.ranking_inputs.items()}

    def eligible(self, country: str, maturity_limit: float, now_us: float, watched: Iterable[str]) -> Mask:
        """Return which titles may stand on a page.

        A title may where it is offered in ``country`` (``""`` or a country never heard of: only
        titles offered everywhere), suits ``maturity_limit`` (NaN: no limit; an unknown level suits
        nobody who has one), is available at ``now_us`` and was not watched.
        """
        mask: Mask = self.allowed_in.get(country, self.everywhere) & (self.available_since <= now_us)
        if not np.isnan(maturity_limit):
            mask &= self.maturity_level <= maturity_limit
        return self.without(mask, watched)

    def without(self, mask: Mask, watched: Iterable[str]) -> Mask:
        """Return a copy of ``mask`` that leaves the ``watched`` titles out."""
        left = mask.copy()
        left[[self.row_of[title] for title in watched if title in self.row_of]] = False
        return left

    def offered_to_all(self, maturity_limit: float, now_us: float) -> Mask:
        """Return the titles that anybody within ``maturity_limit`` may be shown, wherever they are."""
        return self.eligible("", maturity_limit, now_us, ())


def _country_masks(countries: NDArray[np.object_]) -> tuple[Mask, dict[str, Mask]]:
    """Return which titles are offered everywhere, and which in each country that any title names."""
    everywhere = np.array([not offered for offered in countries], dtype=np.bool_)
    allowed: dict[str, Mask] = {}
    for row, offered in enumerate(countries):
        for country in offered:
            if country not in allowed:
                allowed[country] = everywhere.copy()
            allowed[country][row] = True
    return everywhere, allowed


def _cautious_limit(levels: NDArray[np.float64]) -> float:
    """Return the strictest limit that leaves a full page of these titles; NaN (no limit) if none does."""
    enough = [limit for limit in s.MATURITY_LEVELS if (levels <= limit).sum() >= FULL_PAGE]
    return float(enough[0]) if enough else float("nan")


def _franchise_numbers(franchise_ids: NDArray[np.str_]) -> tuple[int, ...]:
    names, numbers = np.unique(franchise_ids, return_inverse=True)
    numbers = np.where(names[numbers] == "", NO_FRANCHISE, numbers)
    return tuple(numbers.tolist())

"""The catalogue in memory: a title snapshot prepared once, so that a request only gathers and masks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.page.shelf import NO_FRANCHISE, UNKNOWN_LANGUAGE, numbered
from feature_repo.store import TitleSnapshot
from feature_repo.transforms.encoding import Arrays
from feature_repo.transforms.ranking import TITLE_INPUTS

Rows = NDArray[np.intp]
"""Row numbers of titles in the catalogue."""
Mask = NDArray[np.bool_]
"""One truth value per title of the catalogue."""

FULL_PAGE: Final = 80
"""Titles that a page holds at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """T titles by row. Immutable: a fresh snapshot makes a new one.

    ``genres`` is (T, genres) in the order of ``schema.GENRES``; ``franchises`` and ``languages`` number them,
    with NO_FRANCHISE and UNKNOWN_LANGUAGE for none; ``available_since`` is in microseconds since 1970 UTC;
    ``newest_first`` lists all rows, latest arrival first, ties by views; ``model_versions`` names the model
    of each title's vector; ``cautious_limit`` is the limit of somebody whose own cannot be read.
    """

    title_ids: tuple[str, ...]
    names: tuple[str, ...]
    row_of: dict[str, int]
    ranking_inputs: Arrays
    genres: NDArray[np.bool_]
    franchises: NDArray[np.int64]
    languages: NDArray[np.int64]
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
            franchises=numbered(columns[s.FRANCHISE_ID], NO_FRANCHISE),
            languages=numbered(columns[s.ORIGINAL_LANGUAGE], UNKNOWN_LANGUAGE),
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

    def unavailable(self, now_us: float) -> Mask:
        """Return the titles that are not on the service at an instant; one never announced never is."""
        return ~(self.available_since <= now_us)

    def outside(self, country: str) -> Mask:
        """Return the titles not offered in a country; for one never heard of, all not offered everywhere."""
        return ~self.allowed_in.get(country, self.everywhere)

    def unsuitable(self, maturity_limit: float) -> Mask:
        """Return the titles above a limit (NaN: none); an unknown level suits nobody who has one."""
        if np.isnan(maturity_limit):
            return np.zeros(len(self), dtype=np.bool_)
        return ~(self.maturity_level <= maturity_limit)

    def among(self, title_ids: Iterable[str]) -> Mask:
        """Return the titles named; ids of no title of the catalogue do not matter."""
        mask = np.zeros(len(self), dtype=np.bool_)
        mask[[self.row_of[title] for title in title_ids if title in self.row_of]] = True
        return mask

    def offered_to_all(self, maturity_limit: float, now_us: float) -> Mask:
        """Return the titles that anybody within ``maturity_limit`` may be shown, wherever they are."""
        return self.everywhere & ~self.unavailable(now_us) & ~self.unsuitable(maturity_limit)


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

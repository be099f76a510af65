"""The candidate generators. Each looks at the catalogue in its own way; all respect ``query.eligible``."""

from __future__ import annotations

from typing import Final

import numpy as np

from feature_repo.transforms.decay import MICROSECONDS_PER_DAY
from serving.candidates.answer import Candidates, SeedNeighbours
from serving.candidates.charts import EVERYWHERE
from serving.candidates.query import Query
from serving.catalogue import NO_FRANCHISE

ALS: Final = "als"
SIMILAR: Final = "similar"
TRENDING: Final = "trending"
TRENDING_IN_COUNTRY: Final = "trending_in_country"
POPULARITY: Final = "popularity"
NEW_TITLES: Final = "new_titles"
CATALOGUE: Final = "catalogue"
"""No generator: any title that may be shown, where even the popular ones cannot be told."""

ALS_CANDIDATES: Final = 300
CHART_CANDIDATES: Final = 100
POPULARITY_CANDIDATES: Final = 200
NEW_CANDIDATES: Final = 60
NEW_FOR_DAYS: Final = 365.0
SEEDS: Final = 2
SEED_FRACTION: Final = 0.7
"""A title watched at least so far may be the seed of a row."""


def als(query: Query) -> Candidates:
    """Titles nearest to the member's ALS vector by inner product, as the model was trained."""
    vector = query.member.embedding
    if vector is None:
        return Candidates.none()
    return Candidates(*query.models.index.search(vector, ALS_CANDIDATES, query.eligible))


def similar(query: Query) -> tuple[SeedNeighbours, ...]:
    """Titles like the latest ones that the member watched nearly to the end, per seed."""
    found: list[SeedNeighbours] = []
    for seed in _seed_rows(query):
        rows, scores = query.models.neighbours.of(seed)
        shown = query.eligible[rows]
        if shown.any():
            found.append(SeedNeighbours(seed, Candidates(rows[shown], scores[shown])))
        if len(found) == SEEDS:
            break
    return tuple(found)


def trending(query: Query) -> Candidates:
    """Plays with exponential decay, over all countries."""
    return query.models.trending.top(EVERYWHERE, query.eligible, CHART_CANDIDATES)


def trending_in_country(query: Query) -> Candidates:
    """Plays with exponential decay in the request's country; none where it is unknown."""
    if query.country not in query.models.trending.orders or query.country == EVERYWHERE:
        return Candidates.none()
    return query.models.trending.top(query.country, query.eligible, CHART_CANDIDATES)


def popularity(query: Query) -> Candidates:
    """The most watched titles of the country; a title nobody watched comes last, but it comes."""
    return query.models.popularity.top(
        query.country, query.eligible, POPULARITY_CANDIDATES, minimum=-float("inf")
    )


def new_titles(query: Query) -> Candidates:
    """The latest arrivals of the last year, newest first; the score is minus the age in days."""
    order = query.catalogue.newest_first
    rows = order[query.eligible[order]][:NEW_CANDIDATES]
    age_days = (query.now_us - query.catalogue.available_since[rows]) / MICROSECONDS_PER_DAY
    recent = age_days <= NEW_FOR_DAYS
    return Candidates(rows[recent], -age_days[recent].astype(np.float32))


def _seed_rows(query: Query) -> list[int]:
    """Rows of the member's seeds, latest first, one per franchise."""
    seeds: list[int] = []
    franchises: set[int] = set()
    for title_id, fraction in query.member.recent:
        row = query.catalogue.row_of.get(title_id)
        if row is None or not fraction >= SEED_FRACTION:
            continue
        franchise = query.catalogue.franchises[row]
        if franchise == NO_FRANCHISE or franchise not in franchises:
            franchises.add(franchise)
            seeds.append(row)
    return seeds

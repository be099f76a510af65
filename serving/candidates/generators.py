"""The candidate generators, side by side; each looks at the catalogue in its own way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.page.shelf import NO_FRANCHISE
from feature_repo.schema import COMPLETION_FRACTION
from feature_repo.transforms import candidate_mix as mix
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY
from serving.candidates.answer import Candidates
from serving.candidates.charts import EVERYWHERE
from serving.candidates.query import Query
from serving.index import VectorIndex
from serving.pipeline import between_steps

CATALOGUE: Final = "catalogue"
"""No generator: any title that may be shown, where even the popular ones cannot be told."""
NEW_FOR_DAYS: Final = 365.0
SEEDS: Final = 2
BEGUN_FRACTION: Final = 0.05
"""Whoever left a title before this had not begun it."""

Propose = Callable[[Query, int], Sequence[Candidates]]
"""(query, most titles) to answers, one per seed for a generator that has seeds."""


class EmptyAnswerError(RuntimeError):
    """An index found nothing where it should: a fault, which the other generators must make up for."""


@dataclass(frozen=True, slots=True)
class CandidateGenerator:
    """One way to find candidates: its name, its work and the median milliseconds it should take.

    ``personal`` ones are asked only for members of whose taste something is known, ``costly`` ones left out
    of pages in a hurry.
    """

    name: str
    propose: Propose
    budget_ms: float
    personal: bool = False
    costly: bool = False


def als(query: Query, limit: int) -> Sequence[Candidates]:
    """Titles nearest to the member's ALS vector by inner product, as the model was trained."""
    vector = query.member.embedding
    if vector is None:
        return ()
    return (_nearest(query.models.als_index, vector, limit, query),)


def two_tower(query: Query, limit: int) -> Sequence[Candidates]:
    """Titles nearest to the user tower's vector, those that nobody has watched among them."""
    vector = query.member.tower_vector
    if vector is None:
        return ()
    return (_nearest(query.models.tower_index, vector, limit, query),)


def _nearest(index: VectorIndex, vector: NDArray[np.float32], limit: int, query: Query) -> Candidates:
    """Return the nearest eligible titles; raises :class:`EmptyAnswerError` where it finds none of some."""
    rows, scores = index.search(vector, limit, query.eligible)
    if not len(rows) and index.has_any(query.eligible):
        raise EmptyAnswerError("the index answers nothing for a member who may be shown titles it holds")
    return Candidates(rows, scores)


def similar(query: Query, limit: int) -> Sequence[Candidates]:
    """Titles like the latest ones that the member completed, per seed, those of the last pages last."""
    found: list[Candidates] = []
    for seed in _seed_rows(query):
        between_steps()  # a seed that is not cached is a search
        rows, scores = query.models.neighbours.of(seed)
        shown = query.eligible[rows]
        if shown.any():
            found.append(Candidates(rows[shown][:limit], scores[shown][:limit], seed))
        if len(found) == SEEDS:
            break
    return found


def trending(query: Query, limit: int) -> Sequence[Candidates]:
    """Plays with exponential decay, over all countries."""
    return (query.models.trending.top(EVERYWHERE, query.eligible, limit),)


def trending_in_country(query: Query, limit: int) -> Sequence[Candidates]:
    """Plays with exponential decay in the request's country; none where it is unknown."""
    if query.country not in query.models.trending.orders or query.country == EVERYWHERE:
        return ()
    return (query.models.trending.top(query.country, query.eligible, limit),)


def popularity(query: Query, limit: int) -> Sequence[Candidates]:
    """The most watched titles of the country and language; what nobody watched comes last, but it comes."""
    chart = query.models.popularity.narrowest(query.segments)
    return (query.models.popularity.top(chart, query.eligible, limit, minimum=-float("inf")),)


def new_titles(query: Query, limit: int) -> Sequence[Candidates]:
    """The latest arrivals of the last year, newest first; the score is minus the age in days."""
    order = query.catalogue.newest_first
    rows = order[query.eligible[order]][:limit]
    age_days = (query.now_us - query.catalogue.available_since[rows]) / MICROSECONDS_PER_DAY
    recent = age_days <= NEW_FOR_DAYS
    return (Candidates(rows[recent], -age_days[recent].astype(np.float32)),)


def continue_watching(query: Query, limit: int) -> Sequence[Candidates]:
    """Titles the member began and did not finish, latest first; the score is the fraction watched."""
    begun = [
        (query.catalogue.row_of[title_id], fraction)
        for title_id, fraction in query.member.recent
        if BEGUN_FRACTION <= fraction < COMPLETION_FRACTION and title_id in query.catalogue.row_of
    ]
    begun = [(row, fraction) for row, fraction in begun if query.resumable[row]][:limit]
    if not begun:
        return ()
    rows, fractions = zip(*begun, strict=True)
    return (Candidates(np.array(rows, np.intp), np.array(fractions, np.float32)),)


GENERATORS: Final = (
    CandidateGenerator(mix.CONTINUE_WATCHING, continue_watching, 0.05, personal=True),
    CandidateGenerator(mix.ALS, als, 0.5, personal=True),
    CandidateGenerator(mix.TWO_TOWER, two_tower, 0.7, personal=True, costly=True),
    CandidateGenerator(mix.SIMILAR, similar, 0.5, personal=True),  # SEEDS searches where none is cached
    CandidateGenerator(mix.TRENDING_IN_COUNTRY, trending_in_country, 0.1),
    CandidateGenerator(mix.TRENDING, trending, 0.1),
    CandidateGenerator(mix.POPULARITY, popularity, 0.1),
    CandidateGenerator(mix.NEW_TITLES, new_titles, 0.1),
)


def _seed_rows(query: Query) -> list[int]:
    """Rows of titles that may be seeds, latest first, one per franchise; those that rest come last."""
    row_of, resting = query.catalogue.row_of, query.member.resting_seeds
    completed = [
        title_id
        for title_id, fraction in query.member.recent
        if title_id in row_of and fraction >= COMPLETION_FRACTION
    ]
    seeds: list[int] = []
    franchises: set[int] = set()
    for title_id in sorted(completed, key=lambda title_id: title_id in resting):
        row = row_of[title_id]
        franchise = int(query.catalogue.franchises[row])
        if franchise == NO_FRANCHISE or franchise not in franchises:
            franchises.add(franchise)
            seeds.append(row)
    return seeds

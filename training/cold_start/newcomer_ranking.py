"""The ranker's order of a new member's candidates, from features as they stood after their first watches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY
from feature_repo.transforms.encoding import Arrays
from feature_repo.transforms.ranking import FIRST_PLACE, MEMBER_INPUTS, TITLE_INPUTS, ranking_features
from training.datasets import members_as_of, titles_as_of
from training.ranker import Ranker
from training.retrieval import Retrieval
from training.training_data import TrainingData

_WEEK_US = 7 * MICROSECONDS_PER_DAY
_INSTANTS = (s.LAST_WATCHED_AT, s.SESSION_WATCHED_AT)


@dataclass(frozen=True, slots=True)
class NewcomerVisits:
    """Members about to watch their next title; parallel arrays of length n.

    ``instants`` (int64 µs) are just before they did. ``als_vectors`` (n, 128) and ``tower_vectors`` (n, 256)
    are solved from what they had watched or picked until then.
    """

    user_ids: NDArray[np.str_]
    instants: NDArray[np.int64]
    device_types: NDArray[np.str_]
    als_vectors: NDArray[np.float32]
    tower_vectors: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class NewcomerRanking:
    """Orders candidates by a ranker that has learned nothing of these members.

    The catalogue is that of the test window's start. A visit is moved there by whole weeks, with all that is
    known of the member, so that hour, weekday and everything that is counted from then on stay as they were.
    """

    data: TrainingData
    retrieval: Retrieval
    ranker: Ranker
    titles: Arrays

    @classmethod
    def prepare(cls, data: TrainingData, retrieval: Retrieval, ranker: Ranker) -> NewcomerRanking:
        """Read the titles' features; their ALS vectors are those of ``retrieval``."""
        title_ids = retrieval.matrix.title_ids
        as_of = np.full(len(title_ids), epoch_microseconds(data.windows.test_start))
        titles = titles_as_of(data.gateway, title_ids, as_of)
        factors = retrieval.factors.title_factors
        known = factors.any(axis=1, keepdims=True)
        vectors = np.where(known, factors, np.float32(np.nan))
        return cls(
            data, retrieval, ranker, {n: titles[n] for n in TITLE_INPUTS} | {s.TITLE_EMBEDDING: vectors}
        )

    def order(self, visits: NewcomerVisits, candidates: Sequence[NDArray[np.intp]]) -> list[NDArray[np.intp]]:
        """Return each visit's candidates, best first."""
        features = members_as_of(self.data.gateway, visits.user_ids, visits.instants)
        member = {name: features[name] for name in MEMBER_INPUTS}
        member[s.USER_EMBEDDING] = visits.als_vectors
        moved = self._moved(visits.instants)
        for name in _INSTANTS:
            member[name] = member[name] + moved
        now = (visits.instants + moved).astype(np.float64)
        ordered = []
        for row, titles in enumerate(candidates):
            one = slice(row, row + 1)
            context: Arrays = {
                s.REQUEST_TIMESTAMP: now[one],
                s.DEVICE_TYPE: visits.device_types[one],
                s.TWO_TOWER_SCORE: self.retrieval.title_vectors[titles] @ visits.tower_vectors[row],
                **FIRST_PLACE,
            }
            matrix = ranking_features(
                {name: values[one] for name, values in member.items()},
                {name: values[titles] for name, values in self.titles.items()},
                context,
            )
            ordered.append(titles[np.argsort(-self.ranker.score(matrix), kind="stable")])
        return ordered

    def _moved(self, instants: NDArray[np.int64]) -> NDArray[np.int64]:
        start = epoch_microseconds(self.data.windows.test_start)
        weeks: NDArray[np.int64] = -((instants - start) // _WEEK_US) * _WEEK_US
        return weeks

"""Candidates and the ranker together, as the homepage uses them, behind the evaluation's scorer interface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.encoding import Arrays
from feature_repo.transforms.ranking import FIRST_PLACE, MEMBER_INPUTS, TITLE_INPUTS, ranking_features
from training.candidates import Generators
from training.interactions import rows_of
from training.ranker import Ranker

_CONTEXT = (s.REQUEST_TIMESTAMP, s.DEVICE_TYPE)


class TwoStageScorer:
    """Scores by the ranker what the generators propose; everything else scores -inf.

    ``member``, ``titles`` and ``context`` are the ranker's inputs with a row per member, per title and
    per member of ``generators.cases.watched``; the two-tower score comes from the generators' vectors.
    """

    def __init__(
        self, ranker: Ranker, generators: Generators, *, member: Arrays, titles: Arrays, context: Arrays
    ) -> None:
        self._ranker = ranker
        self._generators = generators
        self._member = {name: member[name] for name in MEMBER_INPUTS}
        self._titles = {name: titles[name] for name in TITLE_INPUTS}
        self._context = {name: context[name] for name in _CONTEXT}

    def with_ranker(self, ranker: Ranker) -> TwoStageScorer:
        """Return the same with another ranker."""
        return TwoStageScorer(
            ranker, self._generators, member=self._member, titles=self._titles, context=self._context
        )

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return float32 (len(user_rows), T): the ranker's scores of candidates, -inf elsewhere."""
        eligible = self._generators.cases.eligible(user_rows)
        scores = np.full(eligible.shape, -np.inf, dtype=np.float32)
        for place, user in enumerate(user_rows.tolist()):
            candidates = self._generators.merged(user, eligible[place]).rows
            scores[place, candidates] = self.candidate_scores(user, candidates)
        return scores

    def candidate_scores(self, user: int, candidates: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the ranker's scores of some titles for a member, (len(candidates),)."""
        return self._ranker.score(self._features(user, candidates))

    def _features(self, user: int, candidates: NDArray[np.intp]) -> NDArray[np.float32]:
        row = slice(user, user + 1)
        context = {name: values[row] for name, values in self._context.items()} | FIRST_PLACE
        vectors = self._generators.retrieval.title_vectors[candidates]
        context[s.TWO_TOWER_SCORE] = vectors @ self._generators.members.vectors[user]
        return ranking_features(
            {name: values[row] for name, values in self._member.items()},
            {name: values[candidates] for name, values in self._titles.items()},
            context,
        )


def first_contexts(
    members: NDArray[np.str_],
    user_ids: NDArray[np.str_],
    instants: NDArray[np.int64],
    device_types: NDArray[np.str_],
    default: int,
) -> Arrays:
    """Return each member's context: the instant and device of their first event, by time.

    The arrays hold events ordered by time. Members without one get the instant ``default`` (µs) and an
    unknown device.
    """
    known, first = np.unique(user_ids, return_index=True)
    places = rows_of(members, known)
    found = places >= 0
    rows = first[places[found]]
    timestamps = np.full(len(members), default, dtype=np.float64)
    devices = np.full(len(members), "", dtype=device_types.dtype)
    timestamps[found], devices[found] = instants[rows], device_types[rows]
    return {s.REQUEST_TIMESTAMP: timestamps, s.DEVICE_TYPE: devices}

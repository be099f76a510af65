"""Features: of one member, of 500 candidates, of the whole catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from feast import FeatureService

from feature_repo.store import FeatureGateway
from serving.candidates.query import PageRequest
from serving.ranking import candidate_features
from tests.benchmarks.naive import naive_matrix
from tests.benchmarks.results import Measurement
from tests.benchmarks.subject import Candidates, Subject, tower_scores
from tests.benchmarks.timing import Effort, time_calls

MEMBER: Final = "member features through Feast"
MEMBER_LOOKED_UP: Final = "member features, service looked up by name each time"
CANDIDATES: Final = "features of 500 candidates"
CANDIDATES_NAIVE: Final = "features of 500 candidates, naive through Feast"
CATALOGUE: Final = "title snapshot of the whole catalogue"
_SNAPSHOTS: Final = 3


class _LookingUpGateway(FeatureGateway):
    """A gateway that forgets its services, as code does that passes their names to Feast."""

    def service(self, name: str) -> FeatureService:
        self._services.clear()
        return super().service(name)


def measure_features(subject: Subject, effort: Effort) -> Iterator[Measurement]:
    """Measure reading one member, gathering candidates, and the catalogue once per swap."""
    looking_up = _LookingUpGateway.open(subject.settings)
    requests, candidates = subject.requests, subject.candidates

    def assembled(asked: Candidates) -> np.ndarray:
        query = asked.query
        return candidate_features(
            query.member,
            query.catalogue,
            asked.rows,
            query.now_us,
            query.request.device,
            tower_scores(query, asked.rows),
        )

    def read(request: PageRequest) -> object:
        return subject.gateway.member_features(request.user_id, request.at)

    def read_by_name(request: PageRequest) -> object:
        return looking_up.member_features(request.user_id, request.at)

    yield Measurement(MEMBER, time_calls(read, requests, effort.calls), MEMBER_LOOKED_UP, budget_ms=1.5)
    yield Measurement(MEMBER_LOOKED_UP, time_calls(read_by_name, requests, effort.calls))
    yield Measurement(
        CANDIDATES, time_calls(assembled, candidates, effort.calls), CANDIDATES_NAIVE, budget_ms=0.5,
        note=f"{_largest_difference(subject)} from the naive matrix at most",
    )  # fmt: skip
    naive = time_calls(lambda asked: naive_matrix(subject, asked), candidates, effort.slow_calls, warm_up=1)
    yield Measurement(CANDIDATES_NAIVE, naive, note="one online call, on-demand view, to_df")
    yield _measure_catalogue(subject)


def _measure_catalogue(subject: Subject) -> Measurement:
    title_ids = list(subject.state.catalogue.title_ids)
    timing = time_calls(
        lambda instant: subject.gateway.title_snapshot(title_ids, instant),
        [subject.state.clock()], _SNAPSHOTS, warm_up=0,
    )  # fmt: skip
    return Measurement(CATALOGUE, timing, note=f"{len(title_ids):,} titles, once per swap and refresh")


def _largest_difference(subject: Subject) -> str:
    asked = subject.candidates[0]
    difference = np.abs(naive_matrix(subject, asked) - asked.matrix)
    return f"{np.nanmax(difference):.1g}"

"""The ranker on one member's 500 candidates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import xgboost

from feature_repo.transforms.ranking import RANKING_FEATURES
from tests.benchmarks.results import Measurement
from tests.benchmarks.subject import Candidates, Subject
from tests.benchmarks.timing import Effort, time_calls

RANKER: Final = "ranker, 500 candidates"
RANKER_BY_DMATRIX: Final = "ranker, 500 candidates, DMatrix and predict"


def measure_ranking(subject: Subject, effort: Effort) -> Iterator[Measurement]:
    """Measure scoring in place, and through the matrix that XGBoost's tutorial makes first."""
    ranker = subject.state.models.ranker
    names = list(RANKING_FEATURES)

    def by_matrix(asked: Candidates) -> object:
        return ranker.booster.predict(xgboost.DMatrix(asked.matrix, feature_names=names, nthread=1))

    in_place = time_calls(lambda asked: ranker.score(asked.matrix), subject.candidates, effort.calls)
    trees = f"{ranker.booster.num_boosted_rounds()} trees, {ranker.booster.num_features()} features"
    yield Measurement(RANKER, in_place, RANKER_BY_DMATRIX, budget_ms=3.0, note=trees)
    yield Measurement(RANKER_BY_DMATRIX, time_calls(by_matrix, subject.candidates, effort.calls))

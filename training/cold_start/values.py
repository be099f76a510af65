"""What a list is worth to each member."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.calendar import epoch_microseconds
from training.evaluation import metrics
from training.evaluation.results import MetricRow, with_interval
from training.judging import TruePlayProbability
from training.training_data import TrainingData

TRUE_PLAYS: Final = "true_plays"
SAMPLES: Final = 200
"""Resamples of members behind each 95 % interval."""

PerMember = dict[tuple[str, int], NDArray[np.float64]]
"""(metric, k) to one value for each member."""


@dataclass(frozen=True, slots=True)
class TruePlays:
    """How probable it is that ``user_ids`` (n,) play what is on their lists, as the test window begins."""

    truth: TruePlayProbability
    data: TrainingData
    user_ids: NDArray[np.str_]

    def of(self, ranked: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return each member's mean over their list (n, k); an empty place is never played."""
        when = np.array([float(epoch_microseconds(self.data.windows.test_start))])
        titles = self.data.catalogue.title_ids[np.maximum(ranked, 0)]
        probability = self.truth(self.user_ids[:, None], titles, when, np.array([""]))
        means: NDArray[np.float64] = np.where(ranked >= 0, probability, 0.0).mean(axis=1)
        return means


def values_of(
    ranked: NDArray[np.int64], relevant: NDArray[np.bool_], plays: TruePlays | None = None
) -> PerMember:
    """Return recall@20, NDCG@10 and, with ``plays``, TRUE_PLAYS@10 of lists (n, 20) by member."""
    hit, count = metrics.hits(ranked, relevant), relevant.sum(axis=1)
    values = {("recall", 20): metrics.recall(hit, count), ("ndcg", 10): metrics.ndcg(hit[:, :10], count)}
    if plays is not None:
        values[TRUE_PLAYS, 10] = plays.of(ranked[:, :10])
    return values


def metric_rows(model: str, segment: str, values: PerMember, seed: int) -> list[MetricRow]:
    """Return the means over members with their intervals."""
    return [
        with_interval(
            MetricRow(model, segment, metric, k, float(value.mean()), len(value)), value, SAMPLES, seed
        )
        for (metric, k), value in values.items()
    ]

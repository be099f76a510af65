"""What it is worth to tell the ranker where each tile stood, measured where the truth is known.

The report compares the ranker with one that was not told: fitted on the same tiles as if all had stood at the
first place. Beside it stands how often each place is looked at, as the ranker has learned it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.ranking import PLACE_FEATURES, RANKING_FEATURES, at_place
from training.evaluation.cases import EvaluationSet, ranked_lists
from training.evaluation.metrics import hits, ndcg
from training.evaluation.protocol import ALL
from training.evaluation.results import MetricRow, with_interval
from training.evaluation.scoring import Scorer
from training.evaluation.truth import PlayProbability
from training.ranker import Ranker

TOLD: Final = "places_told"
NOT_TOLD: Final = "places_not_told"
GAIN: Final = "gain"
"""What being told adds, member by member."""
TRUE_PLAYS: Final = "true_plays"
_TILES: Final = 5_000

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PositionBias:
    """``rows``: NDCG and true plays of both rankers' lists and the gain, with 95 % intervals over members.

    ``learned`` and ``true``: how often each place is looked at, (rows, positions), relative to the first; the
    truth is empty where it is not known.
    """

    rows: list[MetricRow]
    learned: list[list[float]]
    true: list[list[float]]


def compare(
    told: Scorer,
    not_told: Scorer,
    cases: EvaluationSet,
    play_probability: PlayProbability,
    *,
    k: int,
    samples: int,
    seed: int,
) -> list[MetricRow]:
    """Measure the first ``k`` of both on the members of ``cases``, and the paired gain.

    ``samples`` resamples of members give the intervals. Members without anything to be found count for the
    true plays only.
    """
    measured = {
        name: _per_member(scorer, cases, play_probability, k)
        for name, scorer in ((TOLD, told), (NOT_TOLD, not_told))
    }
    measured[GAIN] = {
        metric: values - measured[NOT_TOLD][metric] for metric, values in measured[TOLD].items()
    }
    rows = []
    for name, metrics in measured.items():
        for metric, values in metrics.items():
            known = values[~np.isnan(values)]
            if len(known):
                row = MetricRow(name, ALL, metric, k, float(known.mean()), len(known))
                rows.append(with_interval(row, known, samples, seed))
    return rows


def position_bias(
    ranker: Ranker, matrix: NDArray[np.float32], rows: list[MetricRow], examination: Floats | None
) -> PositionBias | None:
    """Return what a report says of places, or None where all tiles of ``matrix`` stood at the first.

    ``examination`` (rows, positions) is the truth, where it is known.
    """
    places = matrix[:, [RANKING_FEATURES.index(name) for name in PLACE_FEATURES]]
    if not len(places) or places.max() <= 1:
        return None
    true: Floats = np.empty((0, 0)) if examination is None else examination / examination[0, 0]
    shape = (int(places[:, 0].max()), int(places[:, 1].max())) if examination is None else true.shape
    return PositionBias(rows, learned_examination(ranker, matrix, shape).tolist(), true.tolist())


def learned_examination(ranker: Ranker, matrix: NDArray[np.float32], shape: tuple[int, int]) -> Floats:
    """Return how often the ranker thinks each place is looked at, (rows, positions), the first being 1.

    The mean prediction with the tiles of ``matrix`` (its first 5,000) moved to a place, by that with all at
    the first (partial dependence: Friedman, "Greedy Function Approximation", Annals of Statistics 29, 2001).
    In the position-based model that ratio is the place's examination.
    """
    some = matrix[:_TILES]
    seen = [
        [float(ranker.score(at_place(some, row, position)).mean()) for position in range(1, shape[1] + 1)]
        for row in range(1, shape[0] + 1)
    ]
    return np.asarray(np.array(seen) / seen[0][0], dtype=np.float64)


def _per_member(
    scorer: Scorer, cases: EvaluationSet, play_probability: PlayProbability, k: int
) -> dict[str, Floats]:
    ranked = ranked_lists(scorer, cases, k, users_per_batch=64)
    relevant = cases.relevant[cases.user_rows].toarray() > 0
    filled = ranked >= 0
    plays = np.zeros(ranked.shape)
    users = np.repeat(cases.watched.user_ids[cases.user_rows], k).reshape(ranked.shape)
    plays[filled] = play_probability(users[filled], cases.watched.title_ids[ranked[filled]])
    return {"ndcg": ndcg(hits(ranked, relevant), relevant.sum(axis=1)), TRUE_PLAYS: plays.mean(axis=1)}

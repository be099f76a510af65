"""Every model of a training on the same test window, beside the baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.encoding import Arrays
from training.baselines.ease import EaseScorer
from training.baselines.item_knn import ItemKnnScorer
from training.baselines.popularity import PopularityScorer
from training.config import TrainingConfig
from training.datasets import members_as_of, titles_as_of
from training.evaluation.cases import EvaluationSet, ranked_lists
from training.evaluation.protocol import EvaluationConfig, evaluate
from training.evaluation.results import MetricRow
from training.evaluation.scoring import DotProductScorer, FallbackScorer, Scorer
from training.evaluation.truth import OracleScorer, mean_play_probabilities
from training.learning import FittedAls, TrainingData, interactions_as_of
from training.ranker import Ranker
from training.two_stage import TwoStageScorer, first_contexts

BASELINES: Final = ("popularity", "item_knn", "ease")
ALS: Final = "als"
ALS_AND_RANKER: Final = "als_ranker"
ORACLE: Final = "oracle"
TRUTH_K: Final = 10
BOOTSTRAP_SAMPLES: Final = 200
"""Resamples of members behind each 95 % interval."""
POPULAR_SHARE: Final = 0.2
"""Of a member's candidates, how many popularity proposes; ALS proposes the others."""

TruePlayProbability = Callable[
    [NDArray[np.str_], NDArray[np.str_], NDArray[np.float64], NDArray[np.str_]], NDArray[np.float64]
]
"""(user_ids, title_ids, request_timestamps in µs, device_types) to the probability of a play."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Measured quality: metric rows, and for a simulated service the truth about each top 10."""

    rows: list[MetricRow]
    truth: dict[str, float]


def judge(
    data: TrainingData,
    als: FittedAls,
    ranker: Ranker,
    config: TrainingConfig,
    truth: TruePlayProbability | None = None,
) -> Judgement:
    """Measure popularity, item-kNN, EASE, ALS, and ALS with the ranker, on the test window.

    ``als`` is fitted as of the window's start, and features are those of that instant. A member's context
    is the instant and device of their first watch in the window, as a request would bring it.
    """
    cases = _cases(data, als, config)
    context = _contexts(data)
    title_ids = als.matrix.title_ids
    titles = titles_as_of(data.gateway, title_ids, _at_test_start(data, len(title_ids)))
    scorers = _scorers(data, als, ranker, cases, context, titles, config)
    vectors = np.nan_to_num(titles[s.GENRE_VECTOR])
    protocol = EvaluationConfig(bootstrap_samples=BOOTSTRAP_SAMPLES, seed=config.seed)
    rows: list[MetricRow] = []
    for name, scorer in scorers.items():
        rows += evaluate(name, scorer, cases, protocol, vectors)
    return Judgement(rows, _truth(scorers, cases, context, config, truth) if truth else {})


def _cases(data: TrainingData, als: FittedAls, config: TrainingConfig) -> EvaluationSet:
    test = interactions_as_of(data, data.windows.end, since=data.windows.test_start)
    available = data.catalogue.available_at(data.windows.test_start)
    cases = EvaluationSet.build(als.matrix, test, config.relevance_fraction, available)
    return replace(cases, user_rows=_sample(cases.user_rows, config.evaluation_members, config.seed))


def _sample(rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _contexts(data: TrainingData) -> Arrays:
    start = epoch_microseconds(data.windows.test_start)
    later = data.events.timestamps >= start
    return first_contexts(
        data.members.user_ids, data.events.user_ids[later], data.events.timestamps[later],
        data.events.device_types[later], default=start,
    )  # fmt: skip


def _at_test_start(data: TrainingData, rows: int) -> NDArray[np.int64]:
    return np.full(rows, epoch_microseconds(data.windows.test_start))


def _scorers(
    data: TrainingData,
    als: FittedAls,
    ranker: Ranker,
    cases: EvaluationSet,
    context: Arrays,
    titles: Arrays,
    config: TrainingConfig,
) -> dict[str, Scorer]:
    matrix = als.matrix
    popular = max(1, round(config.candidates * POPULAR_SHARE))
    popularity = PopularityScorer(matrix)
    factors = FallbackScorer(
        DotProductScorer(als.factors.user_factors, als.factors.title_factors), popularity, matrix
    )
    two_stage = TwoStageScorer(
        ranker,
        cases,
        member=members_as_of(data.gateway, matrix.user_ids, _at_test_start(data, len(matrix.user_ids))),
        titles=titles,
        context=context,
        proposers=[(factors, config.candidates - popular), (popularity, popular)],
    )
    return {
        "popularity": popularity,
        "item_knn": FallbackScorer(ItemKnnScorer(matrix), popularity, matrix),
        "ease": FallbackScorer(EaseScorer(matrix), popularity, matrix),
        ALS: factors,
        ALS_AND_RANKER: two_stage,
    }


def _truth(
    scorers: dict[str, Scorer],
    cases: EvaluationSet,
    context: Arrays,
    config: TrainingConfig,
    truth: TruePlayProbability,
) -> dict[str, float]:
    """Mean true play probability of each model's top TRUTH_K, each member in their own context."""
    few = replace(cases, user_rows=_sample(cases.user_rows, config.truth_members, config.seed))
    matrix = cases.train

    def probability(user_ids: NDArray[np.str_], title_ids: NDArray[np.str_]) -> NDArray[np.float64]:
        rows = matrix.user_rows(user_ids)
        return truth(user_ids, title_ids, context[s.REQUEST_TIMESTAMP][rows], context[s.DEVICE_TYPE][rows])

    judged = {**scorers, ORACLE: OracleScorer(matrix, probability)}
    lists = {name: ranked_lists(scorer, few, TRUTH_K, users_per_batch=64) for name, scorer in judged.items()}
    return mean_play_probabilities(lists, few, probability)

"""Every model of a training on the same test window, beside the baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms import candidate_mix as mix
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.encoding import Arrays
from training.baselines.ease import EaseScorer
from training.baselines.item_knn import ItemKnnScorer
from training.baselines.popularity import PopularityScorer
from training.candidates import Generators, GeneratorScorer, MixScorer
from training.config import TrainingConfig
from training.datasets import members_as_of, titles_as_of
from training.evaluation.candidates import candidate_recall
from training.evaluation.cases import EvaluationSet, ranked_lists
from training.evaluation.protocol import EvaluationConfig, evaluate
from training.evaluation.results import MetricRow
from training.evaluation.scoring import DotProductScorer, FallbackScorer, RandomScorer, Scorer
from training.evaluation.truth import OracleScorer, PlayProbability, mean_play_probabilities
from training.factors import Factors
from training.generating import contexts, generators_as_of
from training.page_judging import PageJudge
from training.position_bias import compare
from training.ranker import Ranker
from training.retrieval import CoreModel, Retrieval, fit_core
from training.training_data import TrainingData
from training.two_stage import TwoStageScorer

BASELINES: Final = ("popularity", "item_knn", "ease")
TWO_TOWER: Final = "two_tower"
MIX: Final = "mix"
MIX_AND_RANKER: Final = "mix_ranker"
RANDOM: Final = "random"
ORACLE: Final = "oracle"
TRUTH_K: Final = 10
BOOTSTRAP_SAMPLES: Final = 200
"""Resamples of members behind each 95 % interval."""

TruePlayProbability = Callable[
    [NDArray[np.str_], NDArray[np.str_], NDArray[np.float64], NDArray[np.str_]], NDArray[np.float64]
]
"""(user_ids, title_ids, request_timestamps in µs, device_types) to the probability of a play."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Measured quality: of models, of pages, and for a simulated service the truth about each top 10.

    ``places``: what telling the ranker the places is worth, where that was asked for.
    """

    rows: list[MetricRow]
    truth: dict[str, float]
    pages: list[MetricRow]
    places: list[MetricRow] = field(default_factory=list)


def judge(
    data: TrainingData,
    retrieval: Retrieval,
    ranker: Ranker,
    hit_rates: mix.HitRates,
    config: TrainingConfig,
    truth: TruePlayProbability | None = None,
    ranker_decides: bool = True,
    not_told: Ranker | None = None,
) -> Judgement:
    """Measure the baselines, each model alone, the candidate mix, and the mix with the ranker.

    ``retrieval`` is fitted as of the test window's start, and features are those of that instant. A member's
    context is the instant and device of their first watch in the window, as a request would bring it. The
    core model that is not served is fitted here, for comparison. Pages begin with the order that is served:
    the ranker's, or that of the mix where it does not decide. ``not_told``, a ranker that learned without the
    places of its tiles, is held against the ranker where there is a truth.
    """
    window = (data.windows.test_start, data.windows.end)
    generators = generators_as_of(data, retrieval, window, config, hit_rates)
    evaluated = _sample(generators.cases.user_rows, config.evaluation_members, config.seed)
    generators = replace(generators, cases=replace(generators.cases, user_rows=evaluated))
    context, cases = contexts(data, window), generators.cases
    title_ids = retrieval.matrix.title_ids
    titles = titles_as_of(data.gateway, title_ids, _at_test_start(data, len(title_ids)))
    user_ids = retrieval.matrix.user_ids
    member = members_as_of(data.gateway, user_ids, _at_test_start(data, len(user_ids)))
    two_stage = TwoStageScorer(ranker, generators, member=member, titles=titles, context=context)
    scorers = {**_scorers(generators, config), MIX_AND_RANKER: two_stage}
    vectors = np.nan_to_num(titles[s.GENRE_VECTOR])
    protocol = EvaluationConfig(bootstrap_samples=BOOTSTRAP_SAMPLES, seed=config.seed)
    rows: list[MetricRow] = []
    for name, scorer in scorers.items():
        rows += evaluate(name, scorer, cases, protocol, vectors)
    for name, scorer in _candidate_scorers(generators).items():
        rows += candidate_recall(name, scorer, cases, protocol)
    page_cases = replace(cases, user_rows=_sample(cases.user_rows, config.page_members, config.seed))
    of_pages = replace(generators, cases=page_cases)
    judge_of_pages = PageJudge.of(
        of_pages, two_stage if ranker_decides else None, member, titles, data.catalogue.franchise_ids
    )
    plays = partial(_true_plays, cases, context, truth) if truth else None
    pages = judge_of_pages.judge(plays, BOOTSTRAP_SAMPLES, config.seed)
    judged = Judgement(rows, {}, pages)
    if truth is None:
        return judged
    few = replace(cases, user_rows=_sample(cases.user_rows, config.truth_members, config.seed))
    probability = _in_context(few, context, truth)
    places = _places(two_stage, not_told, few, probability, config) if not_told else []
    return replace(judged, truth=_truth(scorers, few, probability), places=places)


def _places(
    told: TwoStageScorer,
    not_told: Ranker,
    cases: EvaluationSet,
    probability: PlayProbability,
    config: TrainingConfig,
) -> list[MetricRow]:
    unaware = told.with_ranker(not_told)
    return compare(told, unaware, cases, probability, k=TRUTH_K, samples=BOOTSTRAP_SAMPLES, seed=config.seed)


def _true_plays(
    cases: EvaluationSet, context: Arrays, truth: TruePlayProbability, user: int
) -> NDArray[np.float64]:
    when, device = context[s.REQUEST_TIMESTAMP][user], context[s.DEVICE_TYPE][user]
    matrix = cases.watched
    return truth(matrix.user_ids[[user]], matrix.title_ids, np.array([when]), np.array([device]))


def _sample(rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _at_test_start(data: TrainingData, rows: int) -> NDArray[np.int64]:
    return np.full(rows, epoch_microseconds(data.windows.test_start))


def _scorers(generators: Generators, config: TrainingConfig) -> dict[str, Scorer]:
    retrieval, matrix = generators.retrieval, generators.retrieval.matrix
    popularity = PopularityScorer(matrix)
    other: CoreModel = "bpr" if config.core_model == "als" else "als"
    cores = {config.core_model: retrieval.factors, other: fit_core(other, matrix, config)}
    towers = DotProductScorer(generators.members.vectors, retrieval.title_vectors)
    return {
        "popularity": popularity,
        "item_knn": FallbackScorer(ItemKnnScorer(matrix), popularity, matrix),
        "ease": FallbackScorer(EaseScorer(matrix), popularity, matrix),
        **{name: _core_scorer(factors, retrieval, popularity) for name, factors in sorted(cores.items())},
        TWO_TOWER: FallbackScorer(towers, popularity, matrix),
        MIX: MixScorer(generators),
    }


def _core_scorer(factors: Factors, retrieval: Retrieval, popularity: Scorer) -> Scorer:
    scorer = DotProductScorer(factors.user_factors, factors.title_factors)
    return FallbackScorer(scorer, popularity, retrieval.matrix)


def _candidate_scorers(generators: Generators) -> dict[str, Scorer]:
    """Return chance, each generator alone with as many proposals as the mix has candidates, and the mix."""
    alone = replace(generators, limits=dict.fromkeys(mix.LIMITS, mix.CANDIDATES))
    names = [name for name in mix.LIMITS if name != mix.CONTINUE_WATCHING]
    return {
        RANDOM: RandomScorer(len(generators.available_since)),
        **{name: GeneratorScorer(alone, name) for name in names},
        MIX: MixScorer(generators),
    }


def _truth(
    scorers: dict[str, Scorer], cases: EvaluationSet, probability: PlayProbability
) -> dict[str, float]:
    """Mean true play probability of each model's top TRUTH_K."""
    judged = {**scorers, ORACLE: OracleScorer(cases.watched, probability)}
    lists = {
        name: ranked_lists(scorer, cases, TRUTH_K, users_per_batch=64) for name, scorer in judged.items()
    }
    return mean_play_probabilities(lists, cases, probability)


def _in_context(cases: EvaluationSet, context: Arrays, truth: TruePlayProbability) -> PlayProbability:
    """Return the truth about members and titles, each member in their own context."""
    matrix = cases.watched

    def probability(user_ids: NDArray[np.str_], title_ids: NDArray[np.str_]) -> NDArray[np.float64]:
        rows = matrix.user_rows(user_ids)
        return truth(user_ids, title_ids, context[s.REQUEST_TIMESTAMP][rows], context[s.DEVICE_TYPE][rows])

    return probability

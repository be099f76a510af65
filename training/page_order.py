"""Which order a page starts from: the ranker's, or that of the mix alone.

A ranker that learned from what members were shown decides: what it knows, logged viewing cannot judge, since
titles that were not shown could not be watched. Where there are no impressions it learned from candidates
that were drawn for it, and has to prove itself on the latest pages of its window, which it has not learned
from: it decides only where it orders them better than the mix does. Both then work on vectors as of those
pages: on older ones the ranker, whose other features are fresh, would win for that alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from feature_repo.transforms import candidate_mix as mix
from feature_repo.transforms.calendar import epoch_microseconds
from training.candidates import MixScorer
from training.config import TrainingConfig
from training.datasets import members_as_of, titles_as_of
from training.evaluation import metrics
from training.evaluation.cases import EvaluationSet, ranked_lists
from training.evaluation.scoring import Scorer
from training.generating import contexts, generators_as_of
from training.learning import FittedRanker
from training.retrieval import Retrieval, retrieval_as_of
from training.training_data import TrainingData
from training.two_stage import TwoStageScorer

K = 10


@dataclass(frozen=True, slots=True)
class PageOrder:
    """What orders a page, and the NDCG@10 of both by which it was chosen; None where it was not measured."""

    ranker_decides: bool
    ranker_ndcg: float | None = None
    mix_ndcg: float | None = None


def choose_order(
    data: TrainingData,
    before: Retrieval,
    fitted: FittedRanker,
    hit_rates: mix.HitRates,
    config: TrainingConfig,
) -> PageOrder:
    """Choose on the ranker's validation pages; retrieval is fitted as of their beginning, from ``before``."""
    window = (fitted.validated_from, data.windows.test_start)
    if fitted.from_impressions or window[0] >= window[1]:
        return PageOrder(ranker_decides=True)
    retrieval = retrieval_as_of(data, window[0], config, before)
    generators = generators_as_of(data, retrieval, window, config, hit_rates)
    few = generators.cases.user_rows[: config.evaluation_members]
    if not len(few):
        return PageOrder(ranker_decides=True)
    generators = replace(generators, cases=replace(generators.cases, user_rows=few))
    now = epoch_microseconds(window[0])
    user_ids, title_ids = retrieval.matrix.user_ids, retrieval.matrix.title_ids
    two_stage = TwoStageScorer(
        fitted.ranker, generators, context=contexts(data, window),
        member=members_as_of(data.gateway, user_ids, np.full(len(user_ids), now)),
        titles=titles_as_of(data.gateway, title_ids, np.full(len(title_ids), now)),
    )  # fmt: skip
    by_ranker = _ndcg(two_stage, generators.cases)
    by_mix = _ndcg(MixScorer(generators), generators.cases)
    return PageOrder(by_ranker >= by_mix, by_ranker, by_mix)


def _ndcg(scorer: Scorer, cases: EvaluationSet) -> float:
    ranked = ranked_lists(scorer, cases, K, users_per_batch=64)
    relevant = cases.relevant[cases.user_rows].toarray()
    return float(metrics.ndcg(metrics.hits(ranked, relevant), relevant.sum(axis=1)).mean())

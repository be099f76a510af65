"""Which order a page starts from: the ranker's, or that of the mix alone.

A ranker that learned from what members were shown decides: what it knows, logged viewing cannot judge, since
titles that were not shown could not be watched. Where there are no impressions it learned from candidates
that were drawn for it, and has to prove itself on the latest pages of its window, which it has not learned
from: it decides only where it surely orders them better than the mix does. Both then work on vectors as of
those pages: on older ones the ranker, whose other features are fresh, would win for that alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
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
from training.page_vectors import page_vectors
from training.retrieval import Retrieval, retrieval_as_of
from training.training_data import TrainingData
from training.two_stage import TwoStageScorer

K = 10
_ONE_SIDED_95 = 1.645


@dataclass(frozen=True, slots=True)
class PageOrder:
    """What orders a page, and the NDCG@10 of both by which it was chosen; None where it was not measured.

    ``surely_ahead``: the lower end of the one-sided 95 % interval of the ranker's lead over the mix, member
    by member. Above 0 the ranker decides.
    """

    ranker_decides: bool
    ranker_ndcg: float | None = None
    mix_ndcg: float | None = None
    surely_ahead: float | None = None


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
    instants, context = np.full(len(user_ids), now), contexts(data, window)
    vectors = page_vectors(data.gateway, before, user_ids, instants, context[s.DEVICE_TYPE])
    member = members_as_of(data.gateway, user_ids, instants)
    two_stage = TwoStageScorer(
        fitted.ranker, generators, context=context,
        member=vectors.in_members(member, np.arange(len(user_ids))),
        titles=titles_as_of(data.gateway, title_ids, np.full(len(title_ids), now)),
    )  # fmt: skip
    by_ranker = _ndcg(two_stage, generators.cases)
    by_mix = _ndcg(MixScorer(generators), generators.cases)
    lead = by_ranker - by_mix
    if len(lead) < 2:  # of one member nothing is sure
        return PageOrder(False, float(by_ranker.mean()), float(by_mix.mean()))
    ahead = float(lead.mean() - _ONE_SIDED_95 * lead.std(ddof=1) / np.sqrt(len(lead)))
    return PageOrder(ahead > 0, float(by_ranker.mean()), float(by_mix.mean()), ahead)


def _ndcg(scorer: Scorer, cases: EvaluationSet) -> NDArray[np.float64]:
    """Return each member's NDCG@10."""
    ranked = ranked_lists(scorer, cases, K, users_per_batch=64)
    relevant = cases.relevant[cases.user_rows].toarray()
    return metrics.ndcg(metrics.hits(ranked, relevant), relevant.sum(axis=1))

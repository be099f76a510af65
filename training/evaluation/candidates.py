"""What a candidate generator finds at all: no ranker behind it can show what it did not propose."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.evaluation import metrics
from training.evaluation.cases import EvaluationSet
from training.evaluation.protocol import (
    ALL,
    NEW_MEMBERS,
    NEW_TITLES,
    EvaluationConfig,
    PerMember,
    mean_rows,
)
from training.evaluation.results import MetricRow
from training.evaluation.scoring import Scorer
from training.evaluation.top_k import top_k

CANDIDATE_RECALL: Final = "candidate_recall"
CUTOFFS: Final = (50, 100, 200, 300, 400, 500)


def candidate_recall(
    model: str,
    scorer: Scorer,
    cases: EvaluationSet,
    config: EvaluationConfig,
    cutoffs: tuple[int, ...] = CUTOFFS,
) -> list[MetricRow]:
    """Return the share of a member's relevant titles among the first k, for each of ``cutoffs``.

    Segments as in :func:`training.evaluation.protocol.evaluate`: for new titles, only they count as
    relevant while the whole catalogue is ranked. A segment without members gives no rows.
    """
    new_member = cases.watched.user_titles[cases.user_rows] < config.new_member_titles
    new_title = cases.watched.title_viewers < config.new_title_viewers
    of_all: list[PerMember] = []
    of_new: list[PerMember] = []
    for batch in cases.batches(config.users_per_batch):
        ranked = top_k(cases.masked_scores(scorer, batch), max(cutoffs))
        relevant = cases.relevant[batch].toarray()
        of_all.append(_recalls(ranked, relevant, cutoffs))
        of_new.append(_recalls(ranked, relevant & new_title, cutoffs))
    everybody = np.ones(len(cases.user_rows), dtype=bool)
    rows: list[MetricRow] = []
    for segment, parts, members in (
        (ALL, of_all, everybody),
        (NEW_MEMBERS, of_all, new_member),
        (NEW_TITLES, of_new, everybody),
    ):
        values = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]} if parts else {}
        rows += mean_rows(model, segment, values, members, config)
    return rows


def _recalls(ranked: NDArray[np.int64], relevant: NDArray[np.bool_], cutoffs: tuple[int, ...]) -> PerMember:
    hit, count = metrics.hits(ranked, relevant), relevant.sum(axis=1)
    return {(CANDIDATE_RECALL, k): metrics.recall(hit[:, :k], count) for k in cutoffs}

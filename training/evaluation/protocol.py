"""Full-catalogue evaluation of a model: every title competes, none is sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.evaluation import metrics
from training.evaluation.cases import EvaluationSet
from training.evaluation.results import MetricRow, with_interval
from training.evaluation.scoring import Scorer
from training.evaluation.top_k import top_k

ALL: Final = "all"
NEW_MEMBERS: Final = "new_members"
NEW_TITLES: Final = "new_titles"


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """How models are compared.

    New members had watched fewer than ``new_member_titles`` titles before the window, new titles had fewer
    than ``new_title_viewers`` viewers. ``bootstrap_samples`` of 0 leaves confidence intervals out.
    """

    cutoffs: tuple[int, ...] = (10, 20)
    new_member_titles: int = 5
    new_title_viewers: int = 5
    users_per_batch: int = 256
    bootstrap_samples: int = 0
    seed: int = 0


def evaluate(
    model: str,
    scorer: Scorer,
    cases: EvaluationSet,
    config: EvaluationConfig,
    genre_vectors: NDArray[np.float32] | None = None,
) -> list[MetricRow]:
    """Measure one model on all members, on new members, and on new titles.

    For new titles, only they count as relevant while the whole catalogue is ranked. Diversity is
    measured where ``genre_vectors`` (T, G; unit length or 0) are given. A segment without members
    gives no rows.
    """
    new_member = cases.watched.user_titles[cases.user_rows] < config.new_member_titles
    new_title = cases.watched.title_viewers < config.new_title_viewers
    accuracy, ranked = _measure_accuracy(scorer, cases, config, new_title)
    beyond = _measure_lists(ranked, cases, config, genre_vectors)
    everybody = np.ones(len(cases.user_rows), dtype=bool)
    whole = accuracy[ALL] | beyond
    rows: list[MetricRow] = []
    for segment, values, members in (
        (ALL, whole, everybody),
        (NEW_MEMBERS, whole, new_member),
        (NEW_TITLES, accuracy[NEW_TITLES], everybody),
    ):
        rows += mean_rows(model, segment, values, members, config)
        if segment != NEW_TITLES:
            rows += _coverage_rows(model, segment, ranked[members], cases, config)
    return rows


PerMember = dict[tuple[str, int | None], NDArray[np.float64]]
"""(metric, k) to one value for each of the evaluated members."""


def _measure_accuracy(
    scorer: Scorer, cases: EvaluationSet, config: EvaluationConfig, new_title: NDArray[np.bool_]
) -> tuple[dict[str, PerMember], NDArray[np.int64]]:
    pieces: dict[str, list[PerMember]] = {ALL: [], NEW_TITLES: []}
    lists = []
    for rows in cases.batches(config.users_per_batch):
        scores = cases.masked_scores(scorer, rows)
        ranked = top_k(scores, max(config.cutoffs))
        relevant = cases.relevant[rows].toarray()
        pieces[ALL].append(_accuracy(scores, ranked, relevant, config.cutoffs))
        pieces[NEW_TITLES].append(_accuracy(scores, ranked, relevant & new_title, config.cutoffs))
        lists.append(ranked)
    if not lists:
        raise ValueError("no member has a relevant title: lower its fraction or widen the test window")
    joined = {
        segment: {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        for segment, parts in pieces.items()
    }
    return joined, np.concatenate(lists)


def _accuracy(
    scores: NDArray[np.float32],
    ranked: NDArray[np.int64],
    relevant: NDArray[np.bool_],
    cutoffs: tuple[int, ...],
) -> PerMember:
    hit = metrics.hits(ranked, relevant)
    count = relevant.sum(axis=1)
    values: PerMember = {("mrr", None): metrics.reciprocal_rank(scores, relevant)}
    for k in cutoffs:
        values["recall", k] = metrics.recall(hit[:, :k], count)
        values["ndcg", k] = metrics.ndcg(hit[:, :k], count)
    return values


def _measure_lists(
    ranked: NDArray[np.int64],
    cases: EvaluationSet,
    config: EvaluationConfig,
    genre_vectors: NDArray[np.float32] | None,
) -> PerMember:
    information = metrics.self_information(cases.watched.title_viewers, len(cases.watched.user_ids))
    values: PerMember = {}
    for k in config.cutoffs:
        values["novelty", k] = metrics.novelty(ranked[:, :k], information)
        if genre_vectors is not None:
            values["diversity", k] = metrics.intra_list_diversity(ranked[:, :k], genre_vectors)
    return values


def mean_rows(
    model: str, segment: str, values: PerMember, members: NDArray[np.bool_], config: EvaluationConfig
) -> list[MetricRow]:
    """Return the mean of each metric over those of ``members`` (bool [U]) for whom it is defined."""
    rows = []
    for (metric, k), value in values.items():
        defined = value[members]
        defined = defined[~np.isnan(defined)]
        if len(defined) == 0:
            continue
        row = MetricRow(model, segment, metric, k, float(defined.mean()), len(defined))
        rows.append(with_interval(row, defined, config.bootstrap_samples, config.seed))
    return rows


def _coverage_rows(
    model: str, segment: str, ranked: NDArray[np.int64], cases: EvaluationSet, config: EvaluationConfig
) -> list[MetricRow]:
    if len(ranked) == 0:
        return []
    available = int(cases.available.sum())
    return [
        MetricRow(model, segment, "coverage", k, metrics.coverage(ranked[:, :k], available), len(ranked))
        for k in config.cutoffs
    ]

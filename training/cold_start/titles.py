"""How well titles are found that no model has seen."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.towers import context_inputs
from training.cold_start.held_out import HeldOut
from training.cold_start.values import SAMPLES
from training.content_map import map_content
from training.evaluation import metrics
from training.evaluation.results import MetricRow, with_interval
from training.evaluation.top_k import top_k
from training.interactions import InteractionMatrix, rows_of
from training.new_titles import solve_title_vectors
from training.retrieval import Retrieval
from training.training_data import TrainingData
from training.two_tower_examples import member_histories

FIRST_VIEWERS: Final = (5, 20)
TITLE_K: Final = 100


def new_titles(
    data: TrainingData, held: HeldOut, whole: InteractionMatrix, retrieval: Retrieval, seed: int
) -> list[MetricRow]:
    """Return recall@100 of held-out titles among everything their viewers had not seen.

    By the towers, by the content's stand-in for ALS factors, by factors solved from the first viewers, and
    for a random order. No row for what no member of the training has left to find.
    """
    trained, seen = retrieval.matrix, retrieval.watched
    users = np.flatnonzero((trained.user_titles > 0) & ~held.members)
    users = np.random.default_rng(seed).permutation(users)[:2_000]
    relevant = (whole.positives(0.5)[users].toarray() > 0) & held.titles
    users, relevant = users[relevant.any(axis=1)], relevant[relevant.any(axis=1)]
    if len(users) == 0:
        return []
    eligible = np.tile(data.catalogue.available_at(data.windows.end), (len(users), 1))
    eligible &= ~(seen.fractions[users].toarray() > 0)
    factors = retrieval.factors
    stand_in = np.where(
        factors.title_factors.any(axis=1, keepdims=True), factors.title_factors,
        map_content(retrieval.title_vectors, retrieval.content_to_als),
    )  # fmt: skip
    scores = {
        "two_tower": _tower_vectors(data, held, retrieval, users) @ retrieval.title_vectors.T,
        "als": factors.user_factors[users] @ stand_in.T,
        "random": np.random.default_rng(seed).random(relevant.shape),
        "popularity": np.tile(trained.title_viewers.astype(np.float32), (len(users), 1)),
    }
    rows: list[MetricRow] = []
    for name, values in scores.items():
        rows.append(_title_row(name, "content only", values, eligible, relevant, seed))
    for viewers in FIRST_VIEWERS:
        first = _first_viewers(data, held, whole, viewers)
        solved = stand_in.copy()
        titles = np.flatnonzero(held.titles)
        assert factors.confidence is not None
        solved[titles] = solve_title_vectors(first, titles, factors.user_factors, factors.confidence)
        later = relevant & ~(first.fractions[users].toarray() > 0)
        if not later.any():
            continue
        values = factors.user_factors[users] @ solved.T
        rows.append(_title_row("als", f"{viewers} viewers", values, eligible, later, seed))
    return rows


def _tower_vectors(
    data: TrainingData, held: HeldOut, retrieval: Retrieval, users: NDArray[np.int64]
) -> NDArray[np.float32]:
    now = epoch_microseconds(data.windows.test_start)
    instants = np.full(len(users), now)
    history, mask = member_histories(
        data.gateway, data.members.user_ids[users], instants, retrieval.tower.title_ids
    )
    mask = np.where(held.titles[history], np.float32(0), mask)
    context = context_inputs(instants.astype(np.float64), np.full(len(users), ""))
    return retrieval.tower.user_vectors(history, mask, context)


def _first_viewers(
    data: TrainingData, held: HeldOut, whole: InteractionMatrix, viewers: int
) -> InteractionMatrix:
    """Return the interactions of each held-out title's first viewers, members held out aside."""
    events = data.events
    titles = rows_of(events.title_ids, whole.title_ids)
    users = rows_of(events.user_ids, whole.user_ids)
    rows = np.flatnonzero(held.titles[titles] & ~held.members[users])
    _, first = np.unique(np.stack([titles[rows], users[rows]]), axis=1, return_index=True)
    rows = rows[np.sort(first)]
    rank = np.zeros(len(rows), dtype=np.int64)
    order = np.argsort(titles[rows], kind="stable")
    starts = np.r_[0, np.flatnonzero(np.diff(titles[rows][order])) + 1]
    rank[order] = np.arange(len(rows)) - np.repeat(starts, np.diff(np.r_[starts, len(rows)]))
    kept = rows[rank < viewers]
    fractions = np.asarray(whole.fractions[users[kept], titles[kept]]).ravel()
    return InteractionMatrix.build(
        events.user_ids[kept], events.title_ids[kept], fractions, whole.title_ids, whole.user_ids
    )


def _title_row(
    model: str,
    how: str,
    scores: NDArray[np.floating],
    eligible: NDArray[np.bool_],
    relevant: NDArray[np.bool_],
    seed: int,
) -> MetricRow:
    ranked = top_k(np.where(eligible, scores, -np.inf).astype(np.float32), TITLE_K)
    value = metrics.recall(metrics.hits(ranked, relevant), relevant.sum(axis=1))
    value = value[~np.isnan(value)]
    row = MetricRow(model, f"new_titles: {how}", "recall", TITLE_K, float(value.mean()), len(value))
    return with_interval(row, value, SAMPLES, seed)

from __future__ import annotations

import numpy as np
import pytest

from training.baselines.popularity import PopularityScorer
from training.evaluation.cases import EvaluationSet, ranked_lists
from training.interactions import InteractionMatrix

MEMBERS = np.array(["a", "b", "c"])
CATALOGUE = np.array(["t0", "t1", "t2", "t3"])


def matrix_of(triples: list[tuple[str, str, float]]) -> InteractionMatrix:
    users, titles, fractions = zip(*triples, strict=True)
    return InteractionMatrix.build(
        np.array(users), np.array(titles), np.array(fractions, dtype=np.float32), CATALOGUE, MEMBERS
    )


TRAIN = matrix_of([("a", "t0", 1.0), ("a", "t1", 0.0), ("b", "t0", 0.9), ("b", "t2", 0.5)])
TEST = matrix_of(
    [
        ("a", "t1", 1.0),
        ("a", "t2", 0.8),
        ("a", "t3", 0.79),
        ("b", "t2", 0.95),
        ("c", "t3", 1.0),
        ("c", "t0", 0.9),
    ]
)  # fmt: skip


def test_relevant_is_finished_later_and_never_started_before() -> None:
    cases = EvaluationSet.build(TRAIN, TEST)
    assert cases.relevant.toarray().tolist() == [
        [False, False, True, False],  # t1 was started, t3 not watched far enough
        [False, False, False, False],  # t2 was started
        [True, False, False, True],
    ]
    assert cases.user_rows.tolist() == [0, 2]


def test_titles_not_available_are_neither_relevant_nor_ranked() -> None:
    cases = EvaluationSet.build(TRAIN, TEST, available=np.array([True, True, False, True]))
    assert cases.user_rows.tolist() == [2]
    assert cases.eligible(np.array([0, 2])).tolist() == [
        [False, False, False, True],
        [True, True, False, True],
    ]


def test_lists_hold_eligible_titles_only() -> None:
    cases = EvaluationSet.build(TRAIN, TEST)
    ranked = ranked_lists(PopularityScorer(TRAIN), cases, k=3, users_per_batch=1)
    assert ranked.tolist() == [[2, 3, -1], [0, 2, 1]]


def test_matrices_must_share_members_and_titles() -> None:
    alone = InteractionMatrix.build(np.array(["a"]), np.array(["t0"]), np.ones(1, np.float32), CATALOGUE)
    with pytest.raises(ValueError, match="differ in user_ids or title_ids"):
        EvaluationSet.build(alone, TEST)

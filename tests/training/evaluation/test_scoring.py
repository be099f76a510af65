from __future__ import annotations

import numpy as np

from training.baselines.popularity import PopularityScorer
from training.evaluation.scoring import DotProductScorer, FallbackScorer, RandomScorer
from training.interactions import InteractionMatrix

USERS = np.array([[1, 0], [0, 2], [0, 0]], dtype=np.float32)
TITLES = np.array([[3, 1], [0, 0], [-1, -1]], dtype=np.float32)


def test_dot_products_and_untrained_titles() -> None:
    scores = DotProductScorer(USERS, TITLES).scores(np.array([1, 0]))
    assert scores.dtype == np.float32
    assert scores.tolist() == [[2, -np.inf, -2], [3, -np.inf, -1]]


def test_members_without_interactions_get_the_fallback() -> None:
    matrix = InteractionMatrix.build(
        np.array(["a", "b"]),
        np.array(["t0", "t0"]),
        np.ones(2, dtype=np.float32),
        np.array(["t0", "t1", "t2"]),
        np.array(["a", "b", "c"]),
    )
    scorer = FallbackScorer(DotProductScorer(USERS, TITLES), PopularityScorer(matrix), matrix)
    assert scorer.scores(np.array([2, 0])).tolist() == [[2, 0, 0], [3, -np.inf, -1]]
    assert scorer.scores(np.array([1])).tolist() == [[2, -np.inf, -2]]


def test_chance_is_the_same_for_the_same_member_and_another_for_another() -> None:
    scorer = RandomScorer(50)
    scores = scorer.scores(np.array([3, 4]))
    assert scores.dtype == np.float32
    assert scores.shape == (2, 50)
    assert scores.tolist() == scorer.scores(np.array([4, 3]))[::-1].tolist()
    assert (scores[0] != scores[1]).any()
    assert scorer.scores(np.array([], dtype=np.int64)).shape == (0, 50)

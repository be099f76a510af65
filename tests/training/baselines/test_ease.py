from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from training.baselines.ease import EaseScorer, ease_weights
from training.interactions import InteractionMatrix

WATCHED = np.array([[1, 1, 0, 1], [1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]])


def matrix_of(watched: NDArray[np.int64]) -> InteractionMatrix:
    users = np.array([f"u{row}" for row in range(watched.shape[0])])
    titles = np.array([f"t{row}" for row in range(watched.shape[1])])
    rows, columns = np.nonzero(watched)
    ones = np.ones(len(rows), dtype=np.float32)
    return InteractionMatrix.build(users[rows], titles[columns], ones, titles, users)


def test_two_titles_by_hand() -> None:
    # Xᵀ X + I = [[3, 1], [1, 3]]; its inverse is [[3, -1], [-1, 3]] / 8, so B_01 = B_10 = 1 / 3.
    weights = ease_weights(csr_matrix([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]), regularization=1.0)
    np.testing.assert_allclose(weights, [[0, 1 / 3], [1 / 3, 0]], rtol=1e-6)


def test_each_column_solves_its_ridge_regression_without_itself() -> None:
    """The same minimiser found another way: title j regressed on all the others."""
    watched = (np.random.default_rng(0).random((40, 7)) < 0.4).astype(np.float64)
    weights = ease_weights(csr_matrix(watched), regularization=3.0)
    for j in range(7):
        others = [i for i in range(7) if i != j]
        x = watched[:, others]
        expected = np.linalg.solve(x.T @ x + 3.0 * np.eye(6), x.T @ watched[:, j])
        np.testing.assert_allclose(weights[others, j], expected, rtol=1e-5, atol=1e-7)
        assert weights[j, j] == 0


def test_titles_with_few_viewers_are_left_out() -> None:
    scorer = EaseScorer(matrix_of(WATCHED), regularization=1.0, minimum_viewers=2)
    scores = scorer.scores(np.array([1, 5]))
    assert np.isneginf(scores).tolist() == [[False, False, True, True]] * 2
    assert scores[1, :2].tolist() == [0, 0]
    assert scores.dtype == np.float32


def test_only_the_most_watched_titles_are_kept() -> None:
    scorer = EaseScorer(matrix_of(WATCHED), minimum_viewers=1, maximum_titles=3)
    # Viewers: 4, 4, 1, 1: the tie goes to the earlier title.
    assert np.isfinite(scorer.scores(np.array([0]))).tolist() == [[True, True, True, False]]

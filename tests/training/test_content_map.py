from __future__ import annotations

import numpy as np
import pytest

from training.content_map import fit_content_map, map_content


def test_a_linear_truth_is_found_where_little_is_regularised() -> None:
    rng = np.random.default_rng(0)
    vectors, truth = rng.normal(size=(200, 3)).astype(np.float32), rng.normal(size=(4, 2))
    factors = (vectors @ truth[:3] + truth[3]).astype(np.float32)
    mapping = fit_content_map(vectors, factors, np.full(200, 9), regularization=1e-6)
    assert mapping == pytest.approx(truth, abs=1e-4)
    np.testing.assert_allclose(map_content(vectors, mapping), factors, atol=1e-3)


def test_the_map_is_the_ridge_solution_by_hand() -> None:
    # One dimension, x = -1 and 1, y = 1 and 5: mean 3, slope (1·2·2) / (2 + 2) = 1 with weight 2.
    mapping = fit_content_map(
        np.array([[-1], [1]], np.float32), np.array([[1], [5]], np.float32), np.array([5, 5]), 2
    )
    assert mapping.ravel() == pytest.approx([1, 3])


def test_titles_with_few_viewers_are_not_learned_from() -> None:
    vectors, factors = np.array([[-1], [1], [1]], np.float32), np.array([[1], [5], [99]], np.float32)
    mapping = fit_content_map(vectors, factors, np.array([5, 5, 4]), 2)
    assert mapping.ravel() == pytest.approx([1, 3])


def test_without_watched_titles_the_stand_in_is_zero() -> None:
    assert not fit_content_map(
        np.ones((2, 3), np.float32), np.ones((2, 4), np.float32), np.zeros(2, np.int64)
    ).any()

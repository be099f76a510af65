from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from feature_repo.transforms.confidence import Confidence, signed_confidence
from feature_repo.transforms.fold_in import fold_in, gram_matrix


def test_confidence_is_signed_by_preference() -> None:
    assert signed_confidence(np.array([0.0, 0.09, 0.1, 1.0]), 10.0, 0.1) == pytest.approx([-1, -1.9, 2, 11])


@given(st.integers(0, 2**31), st.integers(0, 12))
def test_a_vector_solves_the_normal_equations_written_out(seed: int, observed: int) -> None:
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(30, 5)).astype(np.float32)
    rows = rng.permutation(30)[:observed]
    fractions = rng.random(observed).astype(np.float32)
    settings = Confidence(alpha=8.0, regularization=0.7, minimum_fraction=0.2)
    weight, preference = np.ones(30), np.zeros(30)
    weight[rows] += 8.0 * fractions
    preference[rows] = fractions >= 0.2
    y = factors.astype(np.float64)
    left = y.T @ (weight[:, None] * y) + 0.7 * np.eye(5)
    wanted = np.linalg.solve(left, y.T @ (weight * preference))
    found = fold_in(rows, fractions, factors, gram_matrix(factors), settings)
    np.testing.assert_allclose(found, wanted, atol=2e-4)


def test_factors_that_are_not_numbers_are_refused() -> None:
    factors = np.full((2, 3), np.nan, dtype=np.float32)
    with pytest.raises(ValueError, match="no solution"):
        fold_in(np.array([0]), np.ones(1), factors, gram_matrix(factors), Confidence(1, 1, 0))

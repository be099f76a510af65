from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from training.evaluation.top_k import top_k


def test_best_first_and_ties_to_the_lower_column() -> None:
    scores = np.array([[1, 3, 3, 2, 3], [0, 0, 0, 0, 0]], dtype=np.float32)
    assert top_k(scores, 2).tolist() == [[1, 2], [0, 1]]
    assert top_k(scores, 4).tolist() == [[1, 2, 4, 3], [0, 1, 2, 3]]


def test_what_is_not_to_be_ranked_leaves_empty_places() -> None:
    inf = np.inf
    scores = np.array([[-inf, 1, -inf, 2], [-inf, -inf, -inf, -inf]], dtype=np.float32)
    assert top_k(scores, 3).tolist() == [[3, 1, -1], [-1, -1, -1]]


def test_k_is_cut_to_the_number_of_columns() -> None:
    assert top_k(np.array([[1, 2]], dtype=np.float32), 10).tolist() == [[1, 0]]
    assert top_k(np.empty((0, 5), dtype=np.float32), 3).shape == (0, 3)
    assert top_k(np.empty((2, 0), dtype=np.float32), 3).shape == (2, 0)


@given(
    arrays(
        np.float32,
        array_shapes(min_dims=2, max_dims=2, max_side=7),
        elements=st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0]),
    ),
    st.integers(1, 8),
)
def test_agrees_with_a_stable_full_sort(scores: NDArray[np.float32], k: int) -> None:
    for row, ranked in zip(scores, top_k(scores, k), strict=True):
        expected = sorted(range(len(row)), key=lambda column: (-row[column], column))[:k]
        assert ranked.tolist() == [c if row[c] > -np.inf else -1 for c in expected]


def test_nan_and_a_senseless_k_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        top_k(np.array([[np.nan, 1]], dtype=np.float32), 1)
    with pytest.raises(ValueError, match="k is 0"):
        top_k(np.ones((1, 2), dtype=np.float32), 0)

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from training.evaluation import metrics


def relevance(rows: list[list[int]], titles: int = 6) -> NDArray[np.bool_]:
    relevant = np.zeros((len(rows), titles), dtype=bool)
    for row, columns in enumerate(rows):
        relevant[row, columns] = True
    return relevant


def test_hits_are_marked_and_empty_places_are_none() -> None:
    found = metrics.hits(np.array([[2, 0, -1], [1, 5, 3]]), relevance([[0, 5], [5]]))
    assert found.tolist() == [[False, True, False], [False, True, False]]


@pytest.mark.parametrize(
    ("hit", "count", "recall", "ndcg"),
    [
        ([1, 0, 0], 1, 1.0, 1.0),
        ([0, 1, 0], 1, 1.0, 1 / math.log2(3)),
        ([0, 0, 0], 2, 0.0, 0.0),
        ([1, 0, 1], 2, 1.0, 1.5 / (1 + 1 / math.log2(3))),
        ([1, 1, 1], 5, 0.6, 1.0),
        ([0, 0, 1], 4, 0.25, 0.5 / (1.5 + 1 / math.log2(3))),
    ],
)
def test_recall_and_ndcg_by_hand(hit: list[int], count: int, recall: float, ndcg: float) -> None:
    found, counts = np.array([hit], dtype=bool), np.array([count])
    assert metrics.recall(found, counts)[0] == pytest.approx(recall)
    assert metrics.ndcg(found, counts)[0] == pytest.approx(ndcg)


def test_without_relevant_titles_accuracy_is_undefined() -> None:
    found, counts = np.zeros((1, 3), dtype=bool), np.array([0])
    assert np.isnan(metrics.recall(found, counts)).all()
    assert np.isnan(metrics.ndcg(found, counts)).all()
    assert np.isnan(metrics.reciprocal_rank(np.ones((1, 6), np.float32), relevance([[]]))).all()


@pytest.mark.parametrize(
    ("scores", "relevant", "expected"),
    [
        ([9, 8, 7, 6, 5, 4], [0], 1.0),
        ([9, 8, 7, 6, 5, 4], [2, 5], 1 / 3),
        ([1, 1, 1, 1, 1, 1], [3], 1 / 4),
        ([1, 1, 2, 2, 1, 1], [5, 3], 1 / 2),
        ([1, -np.inf, 0, 0, 0, 0], [1], 0.0),
        ([-np.inf, -3, -np.inf, -2, -1, -np.inf], [1], 1 / 3),
    ],
)
def test_reciprocal_rank_by_hand(scores: list[float], relevant: list[int], expected: float) -> None:
    value = metrics.reciprocal_rank(np.array([scores], dtype=np.float32), relevance([relevant]))
    assert value[0] == pytest.approx(expected)


@given(st.lists(st.booleans(), min_size=1, max_size=10), st.integers(0, 5))
def test_ndcg_agrees_with_its_definition(hit: list[bool], missed: int) -> None:
    count = sum(hit) + missed
    dcg = sum(1 / math.log2(place + 2) for place, found in enumerate(hit) if found)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(len(hit), count)))
    value = metrics.ndcg(np.array([hit]), np.array([count]))[0]
    assert math.isnan(value) if count == 0 else value == pytest.approx(dcg / ideal)


def test_coverage_counts_distinct_titles() -> None:
    assert metrics.coverage(np.array([[0, 1], [1, -1], [3, 0]]), available_count=6) == 0.5
    assert math.isnan(metrics.coverage(np.empty((0, 2), dtype=np.int64), available_count=0))


def test_novelty_is_mean_self_information() -> None:
    information = metrics.self_information(np.array([7, 3, 0]), user_count=7)
    assert information.tolist() == [0.0, 1.0, 3.0]
    values = metrics.novelty(np.array([[0, 2], [1, -1], [-1, -1]]), information)
    np.testing.assert_array_equal(values, [1.5, 1.0, np.nan])


def test_diversity_is_mean_pairwise_cosine_distance() -> None:
    root = math.sqrt(0.5)
    vectors = np.array([[1, 0], [0, 1], [root, root], [0, 0]], dtype=np.float32)
    ranked = np.array([[0, 1, 2], [0, 0, 3], [0, 1, -1], [0, -1, -1]])
    # (1 + 2 (1 - root)) / 3; equal pair 0 and a title without genres at distance 1 from both
    expected = [(1 + 2 * (1 - root)) / 3, 2 / 3, 1.0, np.nan]
    np.testing.assert_allclose(metrics.intra_list_diversity(ranked, vectors), expected, rtol=1e-6)

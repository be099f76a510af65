from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from training.baselines import item_knn
from training.baselines.item_knn import ItemKnnScorer, nearest_titles
from training.interactions import InteractionMatrix

WATCHED = np.array(
    [
        [1, 1, 0, 0],
        [1, 1, 1, 0],
        [0, 1, 1, 0],
        [1, 0, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 0],
    ],
    dtype=np.float32,
)


def matrix_of(watched: NDArray[np.float32]) -> InteractionMatrix:
    users = np.array([f"u{row}" for row in range(watched.shape[0])])
    titles = np.array([f"t{row}" for row in range(watched.shape[1])])
    rows, columns = np.nonzero(watched)
    return InteractionMatrix.build(users[rows], titles[columns], watched[rows, columns], titles, users)


def test_similarity_is_cosine_shrunk_where_evidence_is_thin() -> None:
    similarity = nearest_titles(csr_matrix(WATCHED), neighbours=4, shrinkage=1.0).toarray()
    # n = 4, 3, 2, 0 viewers; together: (0, 1) 2, (0, 2) 1, (1, 2) 2
    a, b, c = 2 / (math.sqrt(12) + 1), 1 / (math.sqrt(8) + 1), 2 / (math.sqrt(6) + 1)
    expected = np.array([[0, a, b, 0], [a, 0, c, 0], [b, c, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(similarity, expected, rtol=1e-6)


def test_each_title_keeps_its_nearest_neighbours_only() -> None:
    similarity = nearest_titles(csr_matrix(WATCHED), neighbours=1, shrinkage=0.0).toarray()
    assert [np.flatnonzero(row).tolist() for row in similarity] == [[1], [2], [1], []]


def test_a_score_sums_the_similarities_to_watched_neighbours() -> None:
    scores = ItemKnnScorer(matrix_of(WATCHED), neighbours=4, shrinkage=1.0).scores(np.array([0, 5]))
    a, b, c = 2 / (math.sqrt(12) + 1), 1 / (math.sqrt(8) + 1), 2 / (math.sqrt(6) + 1)
    np.testing.assert_allclose(scores, np.array([[a, a, b + c, 0], [0, 0, 0, 0]]), rtol=1e-6)
    assert scores.dtype == np.float32


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = csr_matrix((np.random.default_rng(0).random((30, 11)) < 0.3).astype(np.float32))
    whole = nearest_titles(watched, neighbours=3, shrinkage=2.0)
    monkeypatch.setattr(item_knn, "_TITLES_PER_BLOCK", 4)
    np.testing.assert_array_equal(nearest_titles(watched, 3, 2.0).toarray(), whole.toarray())

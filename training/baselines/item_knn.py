"""Item neighbours: titles watched by the same members as those in a member's history."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from training.evaluation.top_k import top_k
from training.interactions import InteractionMatrix

_TITLES_PER_BLOCK = 1_000


class ItemKnnScorer:
    """Scores title j by the sum of its similarities to those neighbours that a member watched.

    similarity(i, j) = n_ij / (sqrt(n_i n_j) + shrinkage), where n_i counts the viewers of i and n_ij
    those of both: cosine of binary columns, shrunk where the evidence is thin. Each title keeps its
    ``neighbours`` most similar titles, ties by title row.
    """

    def __init__(
        self,
        matrix: InteractionMatrix,
        neighbours: int = 100,
        shrinkage: float = 100.0,
        minimum_fraction: float = 0.1,
    ) -> None:
        self._watched = matrix.positives(minimum_fraction)
        self._similarity = nearest_titles(self._watched, neighbours, shrinkage)

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return float32 (len(user_rows), T); all 0 for a member who watched nothing."""
        summed: NDArray[np.float32] = (self._watched[user_rows] @ self._similarity.T).toarray()
        return summed


def nearest_titles(watched: csr_matrix, neighbours: int, shrinkage: float) -> csr_matrix:
    """Return the similarities, float32 (T, T): row j holds the nearest neighbours of title j.

    ``watched`` is binary (U, T). Memory: one dense block of 1,000 titles by T at a time.
    """
    by_title = watched.T.tocsr()
    norms = np.sqrt(np.diff(by_title.indptr)).astype(np.float32)
    blocks = []
    for start in range(0, by_title.shape[0], _TITLES_PER_BLOCK):
        block = by_title[start : start + _TITLES_PER_BLOCK]
        together = (block @ watched).toarray()
        divisor = np.outer(norms[start : start + block.shape[0]], norms) + np.float32(shrinkage)
        similarity = np.divide(together, divisor, out=np.zeros_like(together), where=together > 0)
        places = np.arange(block.shape[0])
        similarity[places, start + places] = 0
        blocks.append(_keep_largest(similarity, neighbours))
    return vstack(blocks, format="csr")


def _keep_largest(similarity: NDArray[np.float32], neighbours: int) -> csr_matrix:
    kept = top_k(similarity, min(neighbours, similarity.shape[1]))
    values = np.take_along_axis(similarity, kept, axis=1)
    rows = np.repeat(np.arange(len(similarity)), kept.shape[1])
    sparse = csr_matrix((values.ravel(), (rows, kept.ravel())), shape=similarity.shape)
    sparse.eliminate_zeros()
    return sparse

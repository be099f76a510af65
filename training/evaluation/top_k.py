"""The best k of each row, always the same ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def top_k(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the columns of the k highest scores of each row, best first, int64 (rows, min(k, columns)).

    Ties go to the lower column. A score of -inf means "not to be ranked": such places hold -1, at the
    end of the row. Raises ``ValueError`` for NaN and for k below 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}: ask for at least 1")
    if np.isnan(scores).any():
        raise ValueError("scores hold NaN, which has no rank: check the model's factors")
    rows, columns = scores.shape
    k = min(k, columns)
    if rows == 0 or columns == 0:
        return np.empty((rows, k), dtype=np.int64)
    kth = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
    above = scores > kth
    tied = scores == kth
    room = k - above.sum(axis=1, keepdims=True)
    chosen = above | (tied & (np.cumsum(tied, axis=1, dtype=np.int32) <= room))
    best = np.nonzero(chosen)[1].reshape(rows, k)
    values = np.take_along_axis(scores, best, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    ranked = np.take_along_axis(best, order, axis=1)
    ranked[np.isneginf(np.take_along_axis(scores, ranked, axis=1))] = -1
    return ranked

"""From what a title is about to where its collaborative vector would lie, had somebody watched it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

MINIMUM_VIEWERS: Final = 5
"""Factors of titles with fewer viewers say little: they are not learned from."""


def fit_content_map(
    title_vectors: NDArray[np.float32],
    factors: NDArray[np.float32],
    viewers: NDArray[np.int64],
    regularization: float = 1.0,
) -> NDArray[np.float32]:
    """Return the ridge regression from [title vector, 1] to factors, float32 (V + 1, D).

    ``title_vectors`` (T, V) are of unit length, ``factors`` (T, D), ``viewers`` (T,). ``regularization``
    weighs the squared map against the squared errors; the constant is free, so that a title of which nothing
    is known gets the mean factors. All zeros where no title has MINIMUM_VIEWERS.
    """
    known = viewers >= MINIMUM_VIEWERS
    width = title_vectors.shape[1]
    mapping = np.zeros((width + 1, factors.shape[1]), dtype=np.float32)
    if known.any():
        ridge = Ridge(alpha=regularization, solver="cholesky")
        ridge.fit(title_vectors[known].astype(np.float64), factors[known].astype(np.float64))
        mapping[:width], mapping[width] = ridge.coef_.T, ridge.intercept_
    return mapping


def map_content(title_vectors: NDArray[np.float32], mapping: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return stand-in factors, float32 (T, D), for titles of which only the content is known."""
    stand_in: NDArray[np.float32] = title_vectors @ mapping[:-1] + mapping[-1]
    return stand_in

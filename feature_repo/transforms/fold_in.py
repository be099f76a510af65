"""A vector from what was watched and the other side's factors, without a training.

One half-step of implicit-feedback ALS (Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback
Datasets", ICDM 2008, eq. 4) for a single row: training ends with it, and serving repeats it when somebody
watches something. With the sides exchanged it gives a title's vector from its viewers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from feature_repo.transforms.confidence import Confidence, signed_confidence

_solve: Any = lapack.sposv


def gram_matrix(factors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return Yᵀ Y, float32 (D, D): kept beside the factors, it makes :func:`fold_in` cheap."""
    gram: NDArray[np.float32] = factors.T @ factors
    return gram


def fold_in(
    rows: NDArray[np.integer[Any]],
    fractions: NDArray[np.floating[Any]],
    factors: NDArray[np.float32],
    gram: NDArray[np.float32],
    confidence: Confidence,
) -> NDArray[np.float32]:
    """Solve one vector, float32 (D,), from the observed ``rows`` of the other side's ``factors`` (n, D).

    ``rows`` are distinct, ``fractions`` (0 to 1) what was watched of each; ``gram`` is
    :func:`gram_matrix` of ``factors``. Nothing observed gives the zero vector. Raises ``ValueError`` where
    the system cannot be solved, as with numbers that are not finite.
    """
    seen = factors[rows]
    signed = signed_confidence(fractions, confidence.alpha, confidence.minimum_fraction)
    left = gram + (seen.T * (np.abs(signed) - 1)) @ seen
    left[np.diag_indices_from(left)] += np.float32(confidence.regularization)
    right = np.maximum(signed, 0) @ seen
    return solve(left, right, len(rows))


def solve(left: NDArray[np.float32], right: NDArray[np.float32], observations: int) -> NDArray[np.float32]:
    """Solve the normal equations of a vector, ``left`` (D, D) positive definite and overwritten.

    Raises ``ValueError`` where they have no solution, naming the number of ``observations``.
    """
    _, vector, failure = _solve(left, right, lower=1, overwrite_a=1)
    if failure or not np.isfinite(vector).all():
        raise ValueError(
            f"fold-in over {observations} observations has no solution; check the factors for NaN"
        )
    solved: NDArray[np.float32] = vector
    return solved

"""A vector from what was watched and the other side's factors, without a training.

One half-step of implicit-feedback ALS (Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback
Datasets", ICDM 2008, eq. 4) for a single row: training ends with it, and serving repeats it when somebody
watches something. With the sides exchanged it gives a title's vector from its viewers.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from feature_repo.transforms.confidence import Confidence, signed_confidence

MOST_WATCHED: Final = 500
"""Of a member's titles so many count when a vector is updated; more would take milliseconds."""
_TYPICAL_FRACTION: Final = 0.5
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
    weights: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Solve one vector, float32 (D,), from the observed ``rows`` of the other side's ``factors`` (n, D).

    ``rows`` are distinct, ``fractions`` (0 to 1) what was watched of each, ``weights`` (0 to 1) how much each
    says beyond what an unobserved row says, all of it without them; ``gram`` is :func:`gram_matrix` of
    ``factors``. Nothing observed gives the zero vector. Raises ``ValueError`` where
    the system cannot be solved, as with numbers that are not finite.
    """
    seen = factors[rows]
    signed = signed_confidence(fractions, confidence.alpha, confidence.minimum_fraction)
    weights = np.ones(len(rows), dtype=np.float32) if weights is None else weights
    left = gram + (seen.T * (weights * (np.abs(signed) - 1))) @ seen
    left[np.diag_indices_from(left)] += np.float32(confidence.regularization)
    right = (weights * np.maximum(signed, 0)) @ seen
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


def updated_vector(
    stored: NDArray[np.float32],
    watched: NDArray[np.integer[Any]],
    rows: NDArray[np.integer[Any]],
    fractions: NDArray[np.floating[Any]],
    factors: NDArray[np.float32],
    gram: NDArray[np.float32],
    confidence: Confidence,
) -> NDArray[np.float32]:
    """Return a member's vector, float32 (D,), with what they watched since it was solved.

    ``stored`` (D,) was solved from the titles ``watched``, of which it is not known any more how far;
    ``rows`` and ``fractions`` are the titles since, not among ``watched``. The normal equations of ``stored``
    are rebuilt with the mean confidence of a title watched halfway, and with the right-hand side that has
    ``stored`` as its solution; then the new observations are added to both sides, as :func:`fold_in` would.
    Without any the vector stays. Raises ``ValueError`` as :func:`fold_in`.
    """
    if len(rows) == 0:
        return stored
    seen = factors[watched[:MOST_WATCHED]]
    left = gram + np.float32(confidence.alpha * _TYPICAL_FRACTION) * (seen.T @ seen)
    left[np.diag_indices_from(left)] += np.float32(confidence.regularization)
    right = left @ stored
    new = factors[rows]
    signed = signed_confidence(fractions, confidence.alpha, confidence.minimum_fraction)
    left += (new.T * (np.abs(signed) - 1)) @ new
    return solve(left, right + np.maximum(signed, 0) @ new, len(rows))

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

PRIOR_WATCHES: Final = 0.4
"""What the mean member's taste weighs beside what was watched; chosen before the test windows."""
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
    _, vector, failure = _solve(left, right, lower=1, overwrite_a=1)
    if failure or not np.isfinite(vector).all():
        raise ValueError(f"fold-in over {len(rows)} observations has no solution; check the factors for NaN")
    solved: NDArray[np.float32] = vector
    return solved


def mean_member(user_factors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of the members that have a vector, float32 (D,); zero where there is none."""
    known = user_factors[user_factors.any(axis=1)]
    return np.asarray(known.mean(axis=0) if len(known) else user_factors.sum(axis=0), dtype=np.float32)


def with_prior(
    vectors: NDArray[np.float32], watched: NDArray[np.integer[Any]], mean: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Draw members' vectors (n, D) towards the ``mean`` member (D,), the more the fewer titles they rest on.

    Adds ``0.4 / (1 + watched) * mean`` (``watched`` (n,) titles): one title alone says less of what comes
    next than what everybody watches. A zero vector stays zero: nothing is known of that member.
    """
    weight = np.where(vectors.any(axis=1), PRIOR_WATCHES / (1.0 + watched), 0.0)
    drawn: NDArray[np.float32] = vectors + weight[:, None].astype(np.float32) * mean
    return drawn

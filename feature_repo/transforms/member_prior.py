"""The vector of a member of whom little is known: what they watched, and what members are like in general.

Plain fold-in takes every title that a member has not watched as a weak sign against it. Of somebody who has
watched one or two, that says nothing yet: such a list is worse than popularity. Here the members' vectors are
the prior, a normal distribution with their mean and covariance (empirical Bayes; Robbins 1956), and what was
not watched weighs a tenth. Each title watched then moves the vector the way in which members differ, and
nobody starts from nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from feature_repo.transforms.confidence import Confidence, signed_confidence
from feature_repo.transforms.fold_in import fold_in, gram_matrix, solve

FEW_TITLES: Final = 10
"""Members who have watched more are solved by plain fold-in, which is as good from there on."""
PRIOR_STRENGTH: Final = 0.5
UNWATCHED_WEIGHT: Final = 0.1
"""Both chosen on two draws of held-out members of ml-1m and the simulated service, not those judged."""
_RIDGE: Final = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class MemberPrior:
    """``mean`` float32 (D,) and ``precision`` float32 (D, D), the inverse covariance, of members' vectors."""

    mean: NDArray[np.float32]
    precision: NDArray[np.float32]

    @classmethod
    def of(cls, user_factors: NDArray[np.float32]) -> MemberPrior:
        """Estimate from the members (U, D) that have a vector; zero rows have none."""
        known = user_factors[user_factors.any(axis=1)].astype(np.float64)
        width = user_factors.shape[1]
        mean = known.mean(axis=0) if len(known) else np.zeros(width)
        covariance = np.atleast_2d(np.cov(known.T)) if len(known) > 1 else np.eye(width)
        # With fewer members than dimensions the covariance alone has no inverse.
        precision = np.linalg.inv(covariance + _RIDGE * np.eye(width))
        return cls(mean.astype(np.float32), precision.astype(np.float32))


def member_vector(
    rows: NDArray[np.integer],
    fractions: NDArray[np.floating],
    factors: NDArray[np.float32],
    gram: NDArray[np.float32],
    confidence: Confidence,
    prior: MemberPrior,
    weights: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return a member's vector, float32 (D,), from the titles they watched and how far.

    Arguments as for :func:`feature_repo.transforms.fold_in.fold_in`. With more than FEW_TITLES, of full
    weight, it is that; with fewer the most probable vector under ``prior``. Of somebody who has watched
    nothing it is the mean.
    """
    weights = np.ones(len(rows), dtype=np.float32) if weights is None else weights
    if weights.sum() > FEW_TITLES:
        return fold_in(rows, fractions, factors, gram, confidence, weights)
    seen = factors[rows]
    signed = signed_confidence(fractions, confidence.alpha, confidence.minimum_fraction)
    known = np.float32(PRIOR_STRENGTH) * prior.precision
    left = np.float32(UNWATCHED_WEIGHT) * gram + known
    left += (seen.T * (weights * (np.abs(signed) - np.float32(UNWATCHED_WEIGHT)))) @ seen
    return solve(left, (weights * np.maximum(signed, 0)) @ seen + known @ prior.mean, len(rows))


def with_prior(
    user_factors: NDArray[np.float32],
    fractions: sparse.csr_matrix,
    title_factors: NDArray[np.float32],
    confidence: Confidence,
) -> NDArray[np.float32]:
    """Return the factors (U, D), those of members with one to FEW_TITLES titles by :func:`member_vector`.

    ``fractions`` (U, T) holds what each member watched of each title, ``title_factors`` is (T, D).
    """
    prior, gram = MemberPrior.of(user_factors), gram_matrix(title_factors)
    titles = np.diff(fractions.indptr)
    solved = user_factors.copy()
    for user in np.flatnonzero((titles > 0) & (titles <= FEW_TITLES)):
        watched = slice(fractions.indptr[user], fractions.indptr[user + 1])
        solved[user] = member_vector(
            fractions.indices[watched], fractions.data[watched], title_factors, gram, confidence, prior
        )
    return solved

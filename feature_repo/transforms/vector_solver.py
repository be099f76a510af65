"""Whose ALS vector is solved from what they watched and picked, instead of the one that training stored.

Pages, the ranker's training set and the parity replay ask here, so that they agree on every member.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.confidence import Confidence
from feature_repo.transforms.fold_in import gram_matrix
from feature_repo.transforms.member_prior import MemberPrior, member_vector
from feature_repo.transforms.picks import Taste


@dataclass(frozen=True, slots=True, eq=False)
class VectorSolver:
    """What members' vectors are solved with: title factors (T, D), their Gram matrix, and a prior.

    ``prior`` is what members are like in general. Without ``confidence`` the core model is one that nothing
    can be folded into, and no vector is solved.
    """

    title_factors: NDArray[np.float32]
    gram: NDArray[np.float32]
    prior: MemberPrior
    confidence: Confidence | None

    @classmethod
    def of(
        cls,
        title_factors: NDArray[np.float32],
        user_factors: NDArray[np.float32],
        confidence: Confidence | None,
    ) -> VectorSolver:
        """Prepare from a trained model's factors, (T, D) and (U, D); zero rows are without a vector."""
        prior = MemberPrior.of(user_factors)
        return cls(title_factors, gram_matrix(title_factors), prior, confidence)

    def knowing(self, title_factors: NDArray[np.float32]) -> VectorSolver:
        """Return the same with the factors of more titles."""
        return replace(self, title_factors=title_factors, gram=gram_matrix(title_factors))

    def solved(
        self, stored: NDArray[np.float32] | None, taste: Taste, picks_count: bool
    ) -> NDArray[np.float32] | None:
        """Return the vector (D,) that stands in for the ``stored`` one; None where that one counts.

        A stored vector counts until something was picked that it knows nothing of (``picks_count``). Who has
        none (None, NaN or zeros), and has watched or picked nothing, gets none.
        """
        if self.confidence is None or not len(taste.rows):
            return None
        if stored is not None and is_vector(stored) and not picks_count:
            return None
        return member_vector(
            taste.rows, taste.fractions, self.title_factors, self.gram, self.confidence, self.prior,
            taste.weights,
        )  # fmt: skip


def is_vector(stored: NDArray[np.float32]) -> bool:
    """Say whether this is a vector: NaN and zeros stand for none."""
    return bool(np.isfinite(stored).all() and stored.any())

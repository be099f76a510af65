"""What members' vectors are made with."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.confidence import Confidence
from feature_repo.transforms.fold_in import gram_matrix
from feature_repo.transforms.member_prior import MemberPrior
from feature_repo.transforms.towers import TowerWeights
from training.bundle import BundleContents


@dataclass(frozen=True, slots=True, eq=False)
class TasteModels:
    """What vectors are made with: ALS title factors (T, 128) with their Gram matrix, and the user tower.

    ``prior`` is what members are like in general, for those of whom little is known.
    """

    title_factors: NDArray[np.float32]
    gram: NDArray[np.float32]
    prior: MemberPrior
    confidence: Confidence | None
    tower_weights: TowerWeights

    @classmethod
    def of(cls, contents: BundleContents) -> TasteModels:
        """Keep the Gram matrix beside the factors."""
        factors = contents.title_factors
        prior = MemberPrior.of(contents.user_factors)
        return cls(factors, gram_matrix(factors), prior, contents.confidence, contents.tower_weights)

    def knowing(self, title_factors: NDArray[np.float32]) -> TasteModels:
        """Return the same with the factors of more titles."""
        return replace(self, title_factors=title_factors, gram=gram_matrix(title_factors))

"""What members' vectors are made with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.confidence import Confidence
from feature_repo.transforms.fold_in import gram_matrix
from feature_repo.transforms.towers import TowerWeights


@dataclass(frozen=True, slots=True, eq=False)
class TasteModels:
    """What vectors are made with: ALS title factors (T, 128) with their Gram matrix, and the user tower."""

    title_factors: NDArray[np.float32]
    gram: NDArray[np.float32]
    confidence: Confidence | None
    tower_weights: TowerWeights

    @classmethod
    def of(
        cls, title_factors: NDArray[np.float32], confidence: Confidence | None, weights: TowerWeights
    ) -> TasteModels:
        """Keep the Gram matrix beside the factors."""
        return cls(title_factors, gram_matrix(title_factors), confidence, weights)

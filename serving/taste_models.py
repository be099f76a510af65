"""What members' vectors are made with."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.towers import TowerWeights
from feature_repo.transforms.vector_solver import VectorSolver
from training.bundle import BundleContents


@dataclass(frozen=True, slots=True, eq=False)
class TasteModels:
    """What vectors are made with: the ALS factors of titles, and the user tower."""

    solver: VectorSolver
    tower_weights: TowerWeights

    @classmethod
    def of(cls, contents: BundleContents) -> TasteModels:
        """Keep what a bundle's vectors are solved with."""
        solver = VectorSolver.of(contents.title_factors, contents.user_factors, contents.confidence)
        return cls(solver, contents.tower_weights)

    def knowing(self, title_factors: NDArray[np.float32]) -> TasteModels:
        """Return the same with the factors of more titles."""
        return replace(self, solver=self.solver.knowing(title_factors))

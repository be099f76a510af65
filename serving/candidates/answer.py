"""What a candidate generator answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.catalogue import Rows


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """One generator's answer: distinct rows, best first, with scores on the generator's own scale."""

    rows: Rows
    scores: NDArray[np.float32]

    @classmethod
    def none(cls) -> Candidates:
        """Return an empty answer."""
        return cls(np.empty(0, np.intp), np.empty(0, np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class SeedNeighbours:
    """Titles like one that the member watched."""

    seed: int
    candidates: Candidates

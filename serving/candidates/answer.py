"""What a candidate generator answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.catalogue import Rows


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Distinct rows, best first, with scores on the generator's own scale.

    ``seed`` is the watched title that they are like, where there is one.
    """

    rows: Rows
    scores: NDArray[np.float32]
    seed: int | None = None

    @classmethod
    def none(cls) -> Candidates:
        """Return an empty answer."""
        return cls(np.empty(0, np.intp), np.empty(0, np.float32))

"""The same list for everybody: titles by the number of members who watched them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.interactions import InteractionMatrix


class PopularityScorer:
    """Scores a title by its viewers who reached ``minimum_fraction``."""

    def __init__(self, matrix: InteractionMatrix, minimum_fraction: float = 0.1) -> None:
        viewers = np.asarray(matrix.positives(minimum_fraction).sum(axis=0)).ravel()
        self._viewers = viewers.astype(np.float32)

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return float32 (len(user_rows), T): the number of viewers, alike in every row."""
        return np.tile(self._viewers, (len(user_rows), 1))

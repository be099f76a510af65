"""Served against replayed, value by value: equal, stale, missing or different."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.ranking import RANKING_FEATURES

TOLERANCE: Final[Mapping[str, float]] = {
    "two_tower_cosine": 1e-5, "als_score": 1e-5, "als_cosine": 1e-5, "user_embedding_norm": 1e-5,
}  # fmt: skip
"""How far two values may lie apart, absolutely and relative to the larger, and yet count as equal.

These come from a matrix product or from solving equations, whose order of additions depends on the processor
and on how many rows there are. Every other feature is equal to the bit or it is not equal.
"""


class Verdict(IntEnum):
    """What a served value is, measured by what training would have retrieved at that instant."""

    EQUAL = 0
    """To the bit; two unknown values are equal."""
    CLOSE = 1
    """Within TOLERANCE."""
    STALE = 2
    """Equal to the value as it was some time before."""
    MISSING = 3
    """Unknown on one side only."""
    DIFFERENT = 4


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Verdicts (n, features) over the columns of RANKING_FEATURES, and what they are of.

    ``ages`` (n, features) says how old a stale value is, in seconds, NaN for the others.
    """

    served: NDArray[np.float32]
    replayed: NDArray[np.float32]
    verdicts: NDArray[np.int8]
    ages: NDArray[np.float64]

    def unexplained(self, oldest: timedelta) -> NDArray[np.bool_]:
        """Return which values nothing explains: missing, different, or older than ``oldest``."""
        too_old = self.ages > oldest.total_seconds()  # False for NaN
        found: NDArray[np.bool_] = (self.verdicts >= Verdict.MISSING) | too_old
        return found


def compare(served: NDArray[np.float32], replayed: NDArray[np.float32]) -> Compared:
    """Compare two matrices of ranking features, (n, features), of the present instant alone."""
    verdicts = np.full(served.shape, Verdict.DIFFERENT, dtype=np.int8)
    verdicts[np.isnan(served) != np.isnan(replayed)] = Verdict.MISSING
    verdicts[_close(served, replayed)] = Verdict.CLOSE
    verdicts[_equal(served, replayed)] = Verdict.EQUAL
    return Compared(served, replayed, verdicts, np.full(served.shape, np.nan))


def agree(served: NDArray[np.float32], replayed: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where two matrices are equal, or close enough."""
    return _equal(served, replayed) | _close(served, replayed)


def _equal(served: NDArray[np.float32], replayed: NDArray[np.float32]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (served == replayed) | (np.isnan(served) & np.isnan(replayed))
    return found


def _close(served: NDArray[np.float32], replayed: NDArray[np.float32]) -> NDArray[np.bool_]:
    tolerance = np.array([TOLERANCE.get(name, 0.0) for name in RANKING_FEATURES])
    larger = np.maximum(1.0, np.fmax(np.abs(served), np.abs(replayed)))
    found: NDArray[np.bool_] = np.abs(served - replayed) <= tolerance * larger
    return found & (tolerance > 0)

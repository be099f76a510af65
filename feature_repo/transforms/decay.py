"""Exponential decay, and the time constants that every feature shares."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

MICROSECONDS_PER_SECOND: Final = 1_000_000
MICROSECONDS_PER_HOUR: Final = 3_600 * MICROSECONDS_PER_SECOND
MICROSECONDS_PER_DAY: Final = 24 * MICROSECONDS_PER_HOUR

TASTE_TIME_CONSTANT_DAYS: Final = 21.0
"""Genre, device and hour habits: after this many days a viewing counts 1/e."""
SESSION_TIME_CONSTANT_DAYS: Final = 0.25
"""What a member is in the mood for today, beside what they like in general."""
VELOCITY_TIME_CONSTANT_DAYS: Final = 7.0
TRENDING_TIME_CONSTANT_DAYS: Final = 2.0


def decay_factor(elapsed_us: NDArray[np.float64], time_constant_days: float) -> NDArray[np.float64]:
    """Return ``exp(-elapsed / time constant)``, 1 for negative elapsed time and NaN for NaN.

    ``elapsed_us`` is in microseconds, any shape.
    """
    days = np.maximum(elapsed_us, 0.0) / MICROSECONDS_PER_DAY
    return np.exp(-days / time_constant_days)

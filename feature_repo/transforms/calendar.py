"""Whole hours and days of UTC, on integer microseconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.decay import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR

HOURS_PER_DAY: Final = 24

Instants = NDArray[np.int64]
"""Microseconds since 1970 UTC."""


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def epoch_microseconds(instant: datetime) -> int:
    """Return an aware instant as microseconds since 1970 UTC; raises ``TypeError`` for a naive one."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def hour_end(instants: Instants) -> Instants:
    """Return the first full hour after each instant; an instant on the hour belongs to the hour it opens."""
    return (instants // MICROSECONDS_PER_HOUR + 1) * MICROSECONDS_PER_HOUR


def day_end(instants: Instants) -> Instants:
    """Return the first midnight after each instant; midnight belongs to the day it opens."""
    return (instants // MICROSECONDS_PER_DAY + 1) * MICROSECONDS_PER_DAY


def hour_of_day(instants: Instants) -> NDArray[np.int64]:
    """Return the hour, 0 to 23."""
    return (instants // MICROSECONDS_PER_HOUR) % HOURS_PER_DAY

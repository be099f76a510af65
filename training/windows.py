"""The spans of time a training works with, cut on full hours as the hourly features are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from training.evaluation.split import temporal_split

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Windows:
    """``[start, ranker_start)`` trains ALS for the ranker, ``[ranker_start, test_start)`` the ranker.

    ``[test_start, end)`` is only ever looked at to evaluate. All instants are full hours, UTC; features
    and embeddings as of one of them know exactly the events before it.
    """

    start: datetime
    ranker_start: datetime
    test_start: datetime
    end: datetime


def training_windows(
    timestamps: NDArray[np.int64], ranker_share: float = 0.8, test_share: float = 0.9
) -> Windows:
    """Cut so that about ``ranker_share`` and ``test_share`` of the events lie before the two windows.

    ``timestamps``: int64 microseconds since 1970 UTC. Raises ``ValueError`` where a window would be
    empty, as with less than a few hours of events.
    """
    split = temporal_split(timestamps, ranker_share, test_share)
    windows = Windows(
        start=_hour_of(split.train.start),
        ranker_start=_hour_of(split.validation.start),
        test_start=_hour_of(split.test.start),
        end=_hour_of(split.test.end - timedelta(microseconds=1)) + _HOUR,
    )
    if not windows.start < windows.ranker_start < windows.test_start < windows.end:
        raise ValueError(f"the events span too few hours to split: {windows}")
    return windows


def _hour_of(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)

"""Viewings: where one begins, and how much further each event took it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from feature_repo.transforms.watch_log import WatchLog, select


@dataclass(frozen=True, slots=True)
class Viewings:
    """Watch events ordered by (member, title, time), with what each means for its viewing.

    A viewing starts with a ``play`` or with the member's first event of the title, and goes on until
    the next one starts.
    """

    log: WatchLog
    """The events in this order."""
    pairs: NDArray[np.int64]
    """Number of the (member, title) pair, rising from 0."""
    starts: NDArray[np.bool_]
    gains: NDArray[np.float64]
    """How much further the viewing got, 0 to 1; all gains of a viewing add up to its final fraction."""


def viewings(log: WatchLog) -> Viewings:
    """Divide the log into viewings."""
    ordered = select(log, np.lexsort((log.title_codes, log.user_codes)))
    new_pair = np.diff(ordered.user_codes, prepend=-1) != 0
    new_pair |= np.diff(ordered.title_codes, prepend=-1) != 0
    starts = ordered.plays | new_pair
    furthest = pd.Series(ordered.reached()).groupby(np.cumsum(starts)).cummax().to_numpy(np.float64)
    before = np.where(starts, 0.0, np.append(0.0, furthest)[:-1])
    gains: NDArray[np.float64] = np.subtract(furthest, before, dtype=np.float64)
    return Viewings(ordered, np.cumsum(new_pair) - 1, starts, gains)

"""Viewings: where one begins, and how much further each event took it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from feature_repo.transforms.watch_log import WatchLog, begins_anew, select


@dataclass(frozen=True, slots=True)
class Viewings:
    """Watch events ordered by (member, title, time), with what each means for its viewing.

    A viewing starts with a ``play`` that resumes none (:func:`begins_anew`) or with the member's first event
    of the title, and goes on until the next one starts.
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
    starts = _starts(ordered, new_pair)
    furthest = pd.Series(ordered.reached()).groupby(np.cumsum(starts)).cummax().to_numpy(np.float64)
    before = np.where(starts, 0.0, np.append(0.0, furthest)[:-1])
    gains: NDArray[np.float64] = np.subtract(furthest, before, dtype=np.float64)
    return Viewings(ordered, np.cumsum(new_pair) - 1, starts, gains)


def _starts(log: WatchLog, new_pair: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which events start a viewing; the log is ordered by pair and time.

    A resuming play starts one only where the viewing before it is finished. It is enough to look back to the
    play before that: what was finished earlier, that play has started anew after.
    """
    opens = log.plays | new_pair
    stretch = np.cumsum(opens) - 1
    furthest = pd.Series(log.reached()).groupby(stretch).max().to_numpy(np.float64)
    before = np.append(0.0, furthest)[stretch]
    return new_pair | begins_anew(log.plays, log.fractions, before)

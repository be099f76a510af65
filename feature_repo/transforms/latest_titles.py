"""A member's latest titles, of the hour that is not over yet as well as of those before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s


def latest_titles(
    session_ids: Sequence[str],
    session_fractions: Sequence[float] | NDArray[Any],
    recent_ids: Sequence[str],
    recent_fractions: Sequence[float] | NDArray[Any],
) -> list[tuple[str, float]]:
    """Return the RECENT_TITLES latest distinct titles with the fraction watched (0 to 1), latest first.

    ``session_*`` are those of USER_SESSION, ``recent_*`` those of USER_SNAPSHOT. What was watched in the
    session comes first, in its own order. While the snapshot is younger than the session's 24 hours this is
    what a snapshot of this very instant would hold.
    """
    latest = dict(zip(session_ids, map(float, session_fractions), strict=True))
    for title_id, fraction in zip(recent_ids, map(float, recent_fractions), strict=True):
        latest.setdefault(title_id, fraction)
    return list(latest.items())[: s.RECENT_TITLES]


def latest_codes(
    session: tuple[NDArray[np.int32], NDArray[np.float32]],
    recent: tuple[NDArray[np.int32], NDArray[np.float32]],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Do what :func:`latest_titles` does for n members at once.

    Both arguments are (codes, fractions), each (n, RECENT_TITLES), with the code -1 in free places, which are
    the last; so is the answer.
    """
    codes = np.concatenate([session[0], recent[0]], axis=1)
    fractions = np.concatenate([session[1], recent[1]], axis=1)
    width = s.RECENT_TITLES
    again = (recent[0][:, :, None] == session[0][:, None, :]).any(axis=2)
    codes[:, width:][again] = -1
    order = np.argsort(codes < 0, axis=1, kind="stable")[:, :width]
    kept = np.take_along_axis(codes, order, axis=1)
    return kept, np.where(kept >= 0, np.take_along_axis(fractions, order, axis=1), np.float32(0))

"""What a new member picked at sign-up, as a taste that fades while real viewing arrives.

Each pick counts half a completed watch. From the first watch on it fades linearly, and after 72 hours
it is gone: from then on only what was watched counts. What fades is how much the pick says, not what: as a
fraction that falls, it would end as a title begun and left, which is a sign against it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.decay import MICROSECONDS_PER_HOUR
from feature_repo.transforms.towers import history_weights

PICK_FRACTION: Final = 0.5
"""Of a completed watch."""
PICKS_GONE_AFTER_HOURS: Final = 72.0
"""From the first watch."""


class Taste(NamedTuple):
    """Titles of which a member thinks something, (n,) each.

    ``rows`` of the catalogue, distinct; ``fractions`` (0 to 1) what was watched of each, NaN where not
    known; ``weights`` (0 to 1) how much each says: 1 for what was watched.
    """

    rows: NDArray[np.int64]
    fractions: NDArray[np.float32]
    weights: NDArray[np.float32]

    @property
    def history_weights(self) -> NDArray[np.float32]:
        """How much each counts in the user tower's history, (n,)."""
        weighed: NDArray[np.float32] = history_weights(self.fractions) * self.weights
        return weighed


def first_watch(snapshot: NDArray[np.float64], session: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return when members first watched, (n,) in microseconds since 1970 UTC, NaN before they did.

    ``snapshot`` holds their FIRST_WATCHED_AT and ``session`` their SESSION_WATCHED_AT: in a member's first
    hour there is no snapshot yet, and what they watched then is their first.
    """
    first: NDArray[np.float64] = np.fmin(snapshot, session)
    return first


def pick_weight(now_us: float, first_watched_at_us: float) -> float:
    """Return what is left of a pick, 0 to 1, at an instant; instants in microseconds since 1970 UTC.

    1 before the first watch (``first_watched_at_us`` NaN, or later than now).
    """
    if np.isnan(first_watched_at_us):
        return 1.0
    elapsed = (now_us - first_watched_at_us) / (PICKS_GONE_AFTER_HOURS * MICROSECONDS_PER_HOUR)
    return float(1.0 - min(max(elapsed, 0.0), 1.0))


def taste_history(
    watched_rows: NDArray[np.integer[Any]],
    watched_fractions: NDArray[np.floating[Any]],
    picked_rows: NDArray[np.integer[Any]],
    weight: float,
) -> Taste:
    """Return what was watched followed by what was picked and not watched.

    ``weight`` is :func:`pick_weight`; at 0 the picks are left out. A pick that was watched counts as watched.
    """
    rows = np.asarray(watched_rows, dtype=np.int64)
    fractions = np.asarray(watched_fractions, dtype=np.float32)
    certain = np.ones(len(rows), dtype=np.float32)
    if weight <= 0 or len(picked_rows) == 0:
        return Taste(rows, fractions, certain)
    picked = np.asarray(picked_rows, dtype=np.int64)
    picked = picked[~np.isin(picked, rows)]
    return Taste(
        np.concatenate([rows, picked]),
        np.concatenate([fractions, np.full(len(picked), PICK_FRACTION, dtype=np.float32)]),
        np.concatenate([certain, np.full(len(picked), weight, dtype=np.float32)]),
    )


def taste_at(
    now_us: float,
    first_watched_at_us: float,
    watched_rows: NDArray[np.integer[Any]],
    watched_fractions: NDArray[np.floating[Any]],
    picked_rows: NDArray[np.integer[Any]],
) -> tuple[Taste, bool]:
    """Return a member's taste at an instant, and whether what they picked still counts in it.

    Arguments as for :func:`pick_weight` and :func:`taste_history`.
    """
    weight = pick_weight(now_us, first_watched_at_us)
    picks_count = len(picked_rows) > 0 and weight > 0
    return taste_history(watched_rows, watched_fractions, picked_rows, weight), picks_count

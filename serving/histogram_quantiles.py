"""Quantiles of a histogram with fixed bounds, as Prometheus's ``histogram_quantile`` works them out."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf

Bucket = tuple[float, float]
"""(upper bound, how many observations were at most that): the counts add up from bucket to bucket."""


def quantile(buckets: Sequence[Bucket], share: float) -> float | None:
    """Return the value that ``share`` (0 to 1) of the observations do not exceed; None without any.

    ``buckets`` are in order, the last one's bound is infinite. Within a bucket observations are taken as
    evenly spread, the first one beginning at 0. Where the value lies beyond the last finite bound that bound
    is returned: it is at least so much.
    """
    total = buckets[-1][1] if buckets else 0.0
    if total == 0:
        return None
    rank = share * total
    low, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank and count > below:
            return low if isinf(bound) else low + (bound - low) * (rank - below) / (count - below)
        low, below = bound, count
    return low

"""Trending as it goes on: the charts of a training with the plays since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.decay import TRENDING_TIME_CONSTANT_DAYS, decay_factor

PRIOR_PLAYS: Final = 50.0
"""A country's chart leans on that of all countries with the weight of so many plays of just now."""


def with_plays_since(
    shares: NDArray[np.float32],
    weights: NDArray[np.float32],
    countries: Sequence[str],
    plays: Mapping[str, NDArray[np.float64]],
    elapsed_us: float,
) -> NDArray[np.float32]:
    """Return the charts, float32 (C, T), that a training of just now would make.

    ``shares`` (C, T) and ``weights`` (C,) are those of a training ``elapsed_us`` microseconds ago, the first
    row of all countries; ``plays`` holds, per country that had any since (``""``: all), the decayed plays of
    each title as of now, (T,). A share is ``(plays + PRIOR_PLAYS share of all) / (all plays + PRIOR_PLAYS)``,
    so that the plays of then can be told from the shares, faded, and added to.
    """
    fading = float(decay_factor(np.array([elapsed_us]), TRENDING_TIME_CONSTANT_DAYS)[0])
    before = shares.astype(np.float64)
    nothing = np.zeros(shares.shape[1])
    everywhere = before[0] * weights[0] * fading + plays.get(countries[0], nothing)
    overall = everywhere / (everywhere.sum() or 1.0)
    fresh = np.empty_like(before)
    fresh[0] = overall
    for row in range(1, len(countries)):
        then = before[row] * (weights[row] + PRIOR_PLAYS) - PRIOR_PLAYS * before[0]
        now = np.maximum(then, 0.0) * fading + plays.get(countries[row], nothing)
        fresh[row] = (now + PRIOR_PLAYS * overall) / (now.sum() + PRIOR_PLAYS)
    return fresh.astype(np.float32)

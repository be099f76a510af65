"""Whether the sample-ratio test catches a bucketing that loses members of one arm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, ncx2

from experiments.analysis.sample_ratio import BROKEN_BELOW, sample_ratio_test

SHARES = (500, 500)


def caught(members: int, lost: float, experiments: int, seed: int) -> NDArray[np.bool_]:
    """Deal ``members`` to two equal arms, lose a share ``lost`` of the second's, and test: is it broken?"""
    rng = np.random.default_rng(seed)
    first = rng.binomial(members, 0.5, experiments)
    second = rng.binomial(members - first, 1 - lost)
    tests = (
        sample_ratio_test(counts, SHARES) for counts in zip(first.tolist(), second.tolist(), strict=True)
    )
    return np.array([p < BROKEN_BELOW for _, p in tests])


def expected_rate(members: int, lost: float) -> float:
    """Return how often the test should catch it: chi-square, noncentral by the loss."""
    kept = 1 - lost
    total = members * (1 + kept) / 2
    shift = total * ((1 - kept) / (1 + kept)) ** 2
    return float(ncx2.sf(chi2.isf(BROKEN_BELOW, 1), 1, shift))

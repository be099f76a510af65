"""What CUPED takes out of the variance where it is known how much there is to take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.analysis.cuped import MemberSums, adjusted
from experiments.analysis.ratio_metric import Moments, log_ratio, ratio


@dataclass(frozen=True, slots=True)
class PrePeriod:
    """Members with the same number of impressions before and during, and a propensity of their own.

    ``known`` of them have a pre-period.
    """

    members: int = 1_000
    impressions: int = 40
    rate: float = 0.1
    concentration: float = 20.0
    known: float = 0.75

    @property
    def expected_ratio(self) -> float:
        """Variance with CUPED over that without: 1 - known * correlation^2, of two beta-binomial counts."""
        alike = 1 / (1 + self.concentration)
        correlation = self.impressions * alike / (1 + (self.impressions - 1) * alike)
        return 1 - self.known * correlation**2


def log_ratios(
    setting: PrePeriod, experiments: int, seed: int, lift: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return log ratios without and with adjustment, and the variances that the latter are said to have."""
    rng = np.random.default_rng(seed)
    found = [_one(setting, rng, lift) for _ in range(experiments)]
    plain, better, variances = (np.array(values) for values in zip(*found, strict=True))
    return plain, better, variances


def _one(setting: PrePeriod, rng: np.random.Generator, lift: float) -> tuple[float, float, float]:
    arms = [_arm(setting, rng, raised) for raised in (1.0, 1 + lift)]
    plain = log_ratio(*(ratio(Moments.of_members(arm.y, arm.n)) for arm in arms))
    better = log_ratio(*adjusted(arms))
    return float(plain.value), float(better.value), float(better.variance)


def _arm(setting: PrePeriod, rng: np.random.Generator, raised: float) -> MemberSums:
    a, b = setting.rate * setting.concentration, (1 - setting.rate) * setting.concentration
    propensity = rng.beta(a, b, setting.members)
    n = np.full(setting.members, setting.impressions)
    known = rng.random(setting.members) < setting.known
    before = rng.binomial(n, propensity) * known
    y = rng.binomial(n, np.minimum(propensity * raised, 1.0))
    return MemberSums(*(np.asarray(x, np.float64) for x in (y, n, before, n * known)), known=known)

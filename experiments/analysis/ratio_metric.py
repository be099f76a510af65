"""A metric that is a ratio of sums over members, with the variance that follows from its members.

Members are what is dealt to the arms, so they are the independent observations; the impressions of one member
are not. With Y a member's plays and N their impressions, the metric is R = sum Y / sum N, and by the delta
method (Deng, Knoblich and Lu, "Applying the Delta Method in Metric Analytics", KDD 2018)

    Var R = M / (M - 1) * sum (Y - R N)^2 / (sum N)^2

for M members. The sums of products are all it takes, so members never leave the database for it. Everything
works on arrays of any shape: days, arms, simulated experiments.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sums over members: how many, numerators (y), denominators (n), and their products."""

    members: Numbers
    y: Numbers
    n: Numbers
    yy: Numbers
    yn: Numbers
    nn: Numbers

    @classmethod
    def of_members(cls, y: NDArray[np.number], n: NDArray[np.number], axis: int = -1) -> Moments:
        """Sum over the members along ``axis``."""
        y, n = np.asarray(y, np.float64), np.asarray(n, np.float64)
        members = np.asarray(np.full_like(y.sum(axis), y.shape[axis]))
        products = ((y * y).sum(axis), (y * n).sum(axis), (n * n).sum(axis))
        return cls(members, np.asarray(y.sum(axis)), np.asarray(n.sum(axis)), *map(np.asarray, products))

    def __getitem__(self, place: object) -> Moments:
        return Moments(*(getattr(self, one.name)[place] for one in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """Estimates and their variances; NaN where there is nothing to estimate from."""

    value: Numbers
    variance: Numbers

    @property
    def standard_error(self) -> Numbers:
        """The square root of the variance."""
        return np.sqrt(self.variance)

    def interval(self, alpha: float) -> tuple[Numbers, Numbers]:
        """Return the normal interval of coverage 1 - ``alpha``, for one look at a size set beforehand."""
        margin = norm.ppf(1 - alpha / 2) * self.standard_error
        return self.value - margin, self.value + margin

    @property
    def z(self) -> Numbers:
        """The value in standard errors; NaN where the error is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.variance > 0, self.value / self.standard_error, np.nan)

    @property
    def p(self) -> Numbers:
        """The two-sided p-value of "it is 0", for one look at a size set beforehand."""
        return np.asarray(2 * norm.sf(np.abs(self.z)))


def ratio(moments: Moments) -> Estimate:
    """Return R and its variance; NaN for fewer than two members or nothing in the denominator."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = moments.y / moments.n
        squares = moments.yy - 2 * value * moments.yn + value**2 * moments.nn
        variance = moments.members / (moments.members - 1) * np.maximum(squares, 0) / moments.n**2
    known = (moments.n > 0) & (moments.members > 1)
    return Estimate(np.where(known, value, np.nan), np.where(known, variance, np.nan))


def design_effect(moments: Moments) -> Numbers:
    """Return how many times the variance is that of as many independent impressions; NaN where unknown."""
    estimate = ratio(moments)
    with np.errstate(divide="ignore", invalid="ignore"):
        independent = estimate.value * (1 - estimate.value) / moments.n
        return np.where(independent > 0, estimate.variance / independent, np.nan)


def difference(control: Estimate, treatment: Estimate) -> Estimate:
    """Return treatment minus control."""
    return Estimate(treatment.value - control.value, treatment.variance + control.variance)


def log_ratio(control: Estimate, treatment: Estimate) -> Estimate:
    """Return log(treatment / control), its variance by the delta method; NaN where either is 0.

    The relative lift is its ``expm1``, and so are the bounds. On this scale the estimate is closer to normal,
    and a gain is seen as soon as the same loss would be.
    """
    known = (control.value > 0) & (treatment.value > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(treatment.value / control.value)
        variance = treatment.variance / treatment.value**2 + control.variance / control.value**2
    return Estimate(np.where(known, value, np.nan), np.where(known, variance, np.nan))

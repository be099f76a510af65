"""Whether a lift wears off, or grows, as members get used to the arm.

The log ratio of each day since first exposure is regressed on the day, weighted by 1 / variance. The days
share their members, so that the slope's variance is not that of independent days: with slope = sum_d w_d L_d,
a member moves it by the sum over their days of w_d times their influence on L_d, and the squares of that are
summed over members (:attr:`Slope.control`, :attr:`Slope.treatment` say what to sum).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import norm
from statsmodels.regression.linear_model import WLS
from statsmodels.tools import add_constant

from experiments.analysis.ratio_metric import Moments, Numbers, log_ratio, ratio

FEWEST_DAYS: Final = 3
_FEWEST_SUCCESSES: Final = 25


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """What a member's numerators and denominators of each day move the slope by, added up over days."""

    y: Numbers
    n: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Slope:
    """Change of the log ratio per day since first exposure, over so many ``days``."""

    value: float
    days: int
    control: Weights
    treatment: Weights


def slope(control: Moments, treatment: Moments) -> Slope | None:
    """Fit the slope; None where fewer than 3 days have plays enough.

    Place d of the moments holds the sums of members on day d after their own first one.
    """
    rates = ratio(control), ratio(treatment)
    lift = log_ratio(*rates)
    days = np.flatnonzero((np.minimum(control.y, treatment.y) >= _FEWEST_SUCCESSES) & (lift.variance > 0))
    if len(days) < FEWEST_DAYS:
        return None
    exogenous = add_constant(days.astype(np.float64))
    model = WLS(lift.value[days], exogenous, weights=1 / lift.variance[days])
    of_the_day = np.zeros(len(lift.value))
    of_the_day[days] = (np.linalg.pinv(model.wexog) * np.sqrt(model.weights))[1]
    before, after = (
        _weights(sign * of_the_day, rate.value, moments)
        for sign, rate, moments in zip((-1, 1), rates, (control, treatment), strict=True)
    )
    return Slope(float(model.fit().params[1]), len(days), before, after)


def slope_p(found: Slope, control_squares: float, treatment_squares: float) -> float:
    """Return the two-sided p-value of "it is 0", given each arm's sum over members of their squared moves."""
    return float(2 * norm.sf(abs(found.value) / np.sqrt(control_squares + treatment_squares)))


def _weights(of_the_day: Numbers, rate: Numbers, moments: Moments) -> Weights:
    """A member moves the log of a rate R by (y - R n) / (R N)."""
    used = of_the_day != 0
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.where(used, of_the_day / (rate * moments.n), 0.0)
    return Weights(y, np.where(used, -rate * y, 0.0))

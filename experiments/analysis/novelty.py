"""Whether a lift wears off, or grows, as members get used to the arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from statsmodels.regression.linear_model import WLS
from statsmodels.tools import add_constant

from experiments.analysis.ratio_metric import Moments, ratio, relative_lift

FEWEST_DAYS: Final = 3
_FEWEST_SUCCESSES: Final = 25


@dataclass(frozen=True, slots=True)
class Trend:
    """Change of the relative lift per day since a member's first exposure, and its two-sided p-value."""

    slope: float
    p: float
    days: int


def novelty(control: Moments, treatment: Moments) -> Trend | None:
    """Regress the lift on the day since first exposure, weighted by 1 / variance; None for fewer than 3 days.

    Place d of the moments holds the sums of members on day d after their own first one. The days share
    members, whose traits cancel in a slope but not in the variances of single days: the p-value errs to the
    large side.
    """
    lift = relative_lift(ratio(control), ratio(treatment))
    fewest = np.minimum(control.y, treatment.y)
    days = np.flatnonzero((fewest >= _FEWEST_SUCCESSES) & (lift.variance > 0))
    if len(days) < FEWEST_DAYS:
        return None
    model = WLS(lift.value[days], add_constant(days.astype(np.float64)), weights=1 / lift.variance[days])
    fitted = model.fit(cov_type="fixed scale", use_t=False)
    return Trend(float(fitted.params[1]), float(fitted.pvalues[1]), len(days))

"""Inference that may be looked at every day, and stopped at any look.

A fixed-horizon interval looked at daily is left by the truth far more often than it says. The confidence
sequence here is left *ever* with probability alpha only. It is the asymptotic confidence sequence with a
normal mixture (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and
asymptotic confidence sequences", 2021, after Robbins 1970), which is the mixture SPRT of Johari, Koomen,
Pekelis and Walsh (KDD 2017) turned into an interval. With the estimate's variance V after each day and a
mixture of variance T,

    k = T / V     margin = sqrt(V (k + 1) / k  ln((k + 1) / alpha^2))     p = min(1, sqrt(k + 1) exp(-z^2 k /
    (2 (k + 1))))

Observations are members whose sums go on growing, so neither members nor impressions are a clock. The clock
is the information 1 / V of the clustered estimate. Under that clock a ratio over growing members is a
Brownian motion or, where early members keep adding impressions, correlated more strongly over time than one,
which crosses less often (Slepian 1962). `python -m tests.proofs --only aa` measures it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import lambertw

from experiments.analysis.ratio_metric import Estimate, Moments, Numbers

FEWEST_MEMBERS: Final = 100
"""Members that each arm needs before the first look: below it a mean is not normal yet."""
FEWEST_SUCCESSES: Final = 25
"""Plays (for completion rate: completions) that each arm needs before the first look."""

PLANNED_DESIGN_EFFECT: Final = 5.0
"""Of some hundred impressions a member; with a true one of 2 to 16 the sequence is 5 % wider at most."""


def tightest_ratio(alpha: float) -> float:
    """Return the k = T / V at which the sequence is tightest for its V (Waudby-Smith et al., appendix B)."""
    return float(-lambertw(-(alpha**2) / np.e, -1).real - 1)


def mixture_variance(rate: float, denominators: tuple[float, float], alpha: float) -> float:
    """Return T that makes the sequence of a log ratio tightest at a planned size.

    ``rate`` is the metric over all arms, ``denominators`` what the two arms are planned to have. The design
    effect is a constant, not that of the data so far, which grows from day to day: T has to be the same at
    every look. Neither says anything of the lift, so that T may be worked out from the running experiment.
    """
    planned = PLANNED_DESIGN_EFFECT * (1 - rate) / rate * sum(1 / n for n in denominators)
    return tightest_ratio(alpha) * planned


def margins(variance: Numbers, mixture: float, alpha: float) -> Numbers:
    """Return half the width of the sequence where the estimate has these variances."""
    with np.errstate(divide="ignore", invalid="ignore"):
        k = mixture / variance
        return np.sqrt(variance * (k + 1) / k * np.log((k + 1) / alpha**2))


def confidence_sequence(estimate: Estimate, mixture: float, alpha: float) -> tuple[Numbers, Numbers]:
    """Return the bounds at each look; NaN where the estimate is."""
    margin = margins(estimate.variance, mixture, alpha)
    return estimate.value - margin, estimate.value + margin


def always_valid_p(estimate: Estimate, mixture: float) -> Numbers:
    """Return the p-value of "it is 0" after each look along the last axis: it never rises.

    It is at or below alpha as soon as the sequence of that alpha has left 0 out. Looks without an estimate
    count 1.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        k = mixture / estimate.variance
        log_p = 0.5 * np.log1p(k) - 0.5 * estimate.z**2 * k / (k + 1)
    p = np.exp(np.minimum(np.where(np.isfinite(log_p), log_p, 0.0), 0.0))
    return np.asarray(np.minimum.accumulate(p, axis=-1))


def looked_at(control: Moments, treatment: Moments) -> NDArray[np.bool_]:
    """Return True at the looks that have members and successes enough in both arms."""
    members = np.minimum(control.members, treatment.members)
    successes = np.minimum(control.y, treatment.y)
    return np.asarray((members >= FEWEST_MEMBERS) & (successes >= FEWEST_SUCCESSES))

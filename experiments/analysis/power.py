"""How large an experiment must be to see a lift, and how probably it sees one."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import norm
from statsmodels.stats.proportion import power_proportions_2indep, samplesize_proportions_2indep_onetail

from experiments.analysis.sequential import margins, tightest_ratio


def denominators_needed(
    baseline: float, lift: float, *, alpha: float = 0.05, power: float = 0.8,
    treatment_share: float = 0.5, design_effect: float = 1.0,
) -> int:  # fmt: skip
    """Return the impressions (for completion rate: plays) of both arms that see a lift at one look.

    ``baseline`` is control's rate, ``treatment_share`` what treatment gets of the two arms, ``design_effect``
    how many times the variance is that of independent impressions (:func:`ratio_metric.design_effect`).
    Raises ``ValueError`` where the rates are no probabilities or the lift is 0.
    """
    _check(baseline, lift, treatment_share)
    ratio = (1 - treatment_share) / treatment_share
    treatment = samplesize_proportions_2indep_onetail(
        baseline * lift, baseline, power, ratio=ratio, alpha=alpha, alternative="two-sided"
    )
    return int(np.ceil(treatment * (1 + ratio) * design_effect))


def power_at(
    denominators: float, baseline: float, lift: float, *, alpha: float = 0.05,
    treatment_share: float = 0.5, design_effect: float = 1.0,
) -> float:  # fmt: skip
    """Return the probability that one look at so many impressions, both arms together, sees a lift."""
    _check(baseline, lift, treatment_share)
    ratio = (1 - treatment_share) / treatment_share
    found = power_proportions_2indep(
        baseline * lift, baseline, denominators * treatment_share / design_effect, ratio=ratio, alpha=alpha,
        return_results=False,
    )  # fmt: skip
    return float(found)


def sequential_power_at(
    denominators: float, baseline: float, lift: float, *, alpha: float = 0.05,
    treatment_share: float = 0.5, design_effect: float = 1.0, planned: float | None = None,
) -> float:  # fmt: skip
    """Return the probability that the confidence sequence leaves out 0 *at* this size.

    It is what daily looks up to this size see at the least. ``planned`` is the size the sequence is tightest
    at (both arms; the same size where None), as :func:`sequential.mixture_variance` takes it.
    """
    _check(baseline, lift, treatment_share)
    spread = 1 / treatment_share + 1 / (1 - treatment_share)
    mixture = tightest_ratio(alpha) * (1 - baseline) / baseline * spread / (planned or denominators)
    variance = _lift_variance(baseline, lift, treatment_share) * design_effect / denominators
    margin = float(margins(np.asarray(variance), mixture, alpha))
    return float(norm.sf((margin - abs(lift)) / math.sqrt(variance)))


def sequential_denominators_needed(
    baseline: float, lift: float, *, alpha: float = 0.05, power: float = 0.8,
    treatment_share: float = 0.5, design_effect: float = 1.0,
) -> int:  # fmt: skip
    """Return the impressions of both arms by which daily looks see a lift with this probability at least."""
    _check(baseline, lift, treatment_share)
    k = tightest_ratio(alpha)
    looks = math.sqrt((k + 1) / k * math.log((k + 1) / alpha**2))
    variance = _lift_variance(baseline, lift, treatment_share) * design_effect
    return int(np.ceil(variance * ((looks + norm.ppf(power)) / lift) ** 2))


def _lift_variance(baseline: float, lift: float, treatment_share: float) -> float:
    """Variance of the relative lift, times the independent impressions of both arms."""
    raised = baseline * (1 + lift)
    treatment = raised * (1 - raised) / treatment_share
    control = (1 + lift) ** 2 * baseline * (1 - baseline) / (1 - treatment_share)
    return (treatment + control) / baseline**2


def _check(baseline: float, lift: float, treatment_share: float) -> None:
    if not 0 < baseline < 1:
        raise ValueError(f"baseline {baseline} is no rate: give one between 0 and 1")
    if lift == 0 or not 0 < baseline * (1 + lift) < 1:
        raise ValueError(f"lift {lift} of baseline {baseline}: give one that leaves a rate between 0 and 1")
    if not 0 < treatment_share < 1:
        raise ValueError(f"treatment_share {treatment_share}: give treatment a part between 0 and 1")

"""How large an experiment must be to see a lift, and how probably it sees one."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import norm
from statsmodels.stats.proportion import power_proportions_2indep, samplesize_proportions_2indep_onetail

from experiments.analysis.sequential import margins, mixture_variance


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

    It is what daily looks up to this size see at the least. ``planned`` is the size, of both arms, that the
    sequence was made for (:func:`sequential.mixture_variance`); this one where None.
    """
    _check(baseline, lift, treatment_share)
    size = planned or denominators
    mixture = mixture_variance(baseline, (size * (1 - treatment_share), size * treatment_share), alpha)
    variance = _variance_of_one(baseline, lift, treatment_share) * design_effect / denominators
    margin = float(margins(np.asarray(variance), mixture, alpha))
    return float(norm.sf((margin - abs(math.log1p(lift))) / math.sqrt(variance)))


def sequential_denominators_needed(
    baseline: float, lift: float, *, alpha: float = 0.05, power: float = 0.8,
    treatment_share: float = 0.5, design_effect: float = 1.0,
) -> int:  # fmt: skip
    """Return the impressions of both arms by which daily looks see a lift with this probability at least.

    It takes the sequence to be made for that size.
    """
    _check(baseline, lift, treatment_share)
    variance = _variance_of_one(baseline, lift, treatment_share) * design_effect
    mixture = mixture_variance(baseline, (1 - treatment_share, treatment_share), alpha)
    margin = float(margins(np.asarray(variance), mixture, alpha))
    return int(np.ceil(((margin + norm.ppf(power) * math.sqrt(variance)) / abs(math.log1p(lift))) ** 2))


def _variance_of_one(baseline: float, lift: float, treatment_share: float) -> float:
    """Variance of the log ratio, times the independent impressions of both arms."""
    raised = baseline * (1 + lift)
    treatment = (1 - raised) / raised / treatment_share
    return treatment + (1 - baseline) / baseline / (1 - treatment_share)


def _check(baseline: float, lift: float, treatment_share: float) -> None:
    if not 0 < baseline < 1:
        raise ValueError(f"baseline {baseline} is no rate: give one between 0 and 1")
    if lift == 0 or not 0 < baseline * (1 + lift) < 1:
        raise ValueError(f"lift {lift} of baseline {baseline}: give one that leaves a rate between 0 and 1")
    if not 0 < treatment_share < 1:
        raise ValueError(f"treatment_share {treatment_share}: give treatment a part between 0 and 1")

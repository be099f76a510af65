"""What members did before the experiment takes out of the variance what the arms cannot have caused.

CUPED (Deng, Xu, Kohavi and Walker, WSDM 2013) on a ratio metric: member i of arm a moves R by about
(Y - R_a N) / mean N (its influence, as in the delta method), and what the pre-period says of that is
subtracted. Covariates are whether a member has a pre-period at all, their plays and their impressions of it;
members without one keep a stratum of their own. They are regressed within arms and the same for all arms, so
that an arm's effect stays in the difference. Covariates are of before the experiment: the difference stays
unbiased.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.analysis.ratio_metric import Estimate, Moments, Numbers, ratio


@dataclass(frozen=True, slots=True, eq=False)
class MemberSums:
    """One arm's members: numerators, denominators, and of the pre-period (0 where ``known`` is False)."""

    y: Numbers
    n: Numbers
    pre_y: Numbers
    pre_n: Numbers
    known: NDArray[np.bool_]

    @property
    def covariates(self) -> Numbers:
        """What is known of members from before, (members, 3)."""
        return np.column_stack([self.known, self.pre_y, self.pre_n]).astype(np.float64)


def adjusted(arms: Sequence[MemberSums]) -> list[Estimate]:
    """Return the metric of each arm as if all arms had the same members before.

    Raises ``ValueError`` for an arm with fewer than two members or without a denominator.
    """
    rates = [float(ratio(Moments.of_members(arm.y, arm.n)).value) for arm in arms]
    if not np.isfinite(rates).all():
        raise ValueError("an arm has no impressions by two members yet: wait for more")
    influence = [(arm.y - r * arm.n) / arm.n.mean() for arm, r in zip(arms, rates, strict=True)]
    covariates = [arm.covariates for arm in arms]
    centred = np.vstack([x - x.mean(axis=0) for x in covariates])
    theta = np.linalg.lstsq(centred, np.concatenate(influence), rcond=None)[0]
    grand = np.vstack(covariates).mean(axis=0)
    estimates = []
    for rate, moved, x in zip(rates, influence, covariates, strict=True):
        rest = moved - (x - x.mean(axis=0)) @ theta
        value = rate - float((x.mean(axis=0) - grand) @ theta)
        variance = float(rest @ rest) / (len(rest) - 1) / len(rest)
        estimates.append(Estimate(np.asarray(value), np.asarray(variance)))
    return estimates

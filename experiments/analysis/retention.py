"""The guardrail: whether members of an arm come back as those of control do.

Two proportions are compared by their difference, told relative to control's: a ratio's logarithm, which would
do for small changes, knows no end where hardly anybody comes back. Each arm counts one member more that came
back and one that did not (Agresti and Caffo 2000), so that an arm to which nobody came back has a variance,
too.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from scipy.stats import norm
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from experiments.analysis.sequential import margins, tightest_ratio

FEWEST_MATURED: Final = 100
"""Members of each arm that must have had the time to come back before anything is said."""
LEVEL: Final = 0.95
"""Coverage of each one-sided interval."""
POWER: Final = 0.9
"""How often at least the loss that a rule wants to be sure of breaches the guardrail once this is known."""


@dataclass(frozen=True, slots=True)
class RetentionChange:
    """Relative change of retention with its one-sided intervals; ``p`` is two-sided.

    ``upper`` holds over all looks together, ``lower`` for one look. ``needed``: matured members (control,
    treatment) with whom the loss in question would be seen.
    """

    change: float
    upper: float
    lower: float
    p: float
    needed: tuple[int, int]


def retention_change(
    retained: tuple[int, int], matured: tuple[int, int], margin: float, loss: float, level: float = LEVEL
) -> RetentionChange | None:
    """Compare the share that came back, (control, treatment); None where too few have had the time.

    ``margin`` is the relative loss that is put up with, ``loss`` the greater one that must not stay unseen,
    both between 0 and 1. ``upper``, at which an arm is stopped whenever somebody looks, is the end of a
    confidence sequence (see :mod:`.sequential`), tightest at the size that sees ``loss``: with an interval
    for one look, one harmless experiment in six would be stopped on one of 28 days. A member is one
    observation here, so that no clustering is left.
    """
    if min(matured) < FEWEST_MATURED or retained[0] == 0:
        return None
    control, treatment = (came / all_of for came, all_of in zip(retained, matured, strict=True))
    low, _ = confint_proportions_2indep(
        retained[1], matured[1], retained[0], matured[0],
        method="agresti-caffo", compare="diff", alpha=2 * (1 - level),
    )  # fmt: skip
    nobody_left = sum(retained) == sum(matured)
    return RetentionChange(
        change=treatment / control - 1,
        upper=_upper(retained, matured, control, planned_variance(margin, loss, level), level),
        lower=float(low) / control,
        p=1.0 if nobody_left else float(proportions_ztest(retained[::-1], matured[::-1])[1]),
        needed=_needed(control, matured, margin, loss, level),
    )


def planned_variance(margin: float, loss: float, level: float = LEVEL) -> float:
    """Return the variance of the relative change at which a true ``loss`` breaches ``margin`` at one look.

    It does so with the probability :data:`POWER`. With a margin of 1, which puts up with anything, there is
    no such loss: what is returned then only makes a wide interval.
    """
    apart = loss - margin if loss > margin else 1.0
    deviations = np.sqrt(tightest_ratio(2 * (1 - level)) + 1) + norm.ppf(POWER)
    return float((apart / deviations) ** 2)


def _upper(
    retained: tuple[int, int], matured: tuple[int, int], control: float, planned: float, level: float
) -> float:
    """Return the relative change below which the truth lies at all looks, with probability ``level``."""
    alpha = 2 * (1 - level)
    added = [(came + 1) / (all_of + 2) for came, all_of in zip(retained, matured, strict=True)]
    variance = sum(share * (1 - share) / (n + 2) for share, n in zip(added, matured, strict=True))
    half = margins(np.array(variance / control**2), tightest_ratio(alpha) * planned, alpha)
    return float((added[1] - added[0]) / control + half)


def _needed(
    control: float, matured: tuple[int, int], margin: float, loss: float, level: float
) -> tuple[int, int]:
    """Return matured members, in the proportion of these, with whom ``loss`` would be seen."""
    left = control * (1 - loss)
    variance = control * (1 - control) / matured[0] + left * (1 - left) / matured[1]
    times = variance / control**2 / planned_variance(margin, loss, level)
    first, second = (max(FEWEST_MATURED, ceil(members * times)) for members in matured)
    return first, second


def members_needed(base: float, margin: float, power: float = 0.8, level: float = LEVEL) -> int:
    """Return members of each arm for an interval that excludes a loss of ``margin`` where there is none.

    ``base`` is the retention of control. It says how much the guardrail can see at all.
    """
    z = norm.ppf(level) + norm.ppf(power)
    return int(2 * (1 - base) / base * (z / margin) ** 2) + 1

"""The guardrail: whether members of an arm come back as those of control do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import norm
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from experiments.analysis.sequential import margins, tightest_ratio

FEWEST_MATURED: Final = 100
"""Members of each arm that must have had the time to come back before anything is said."""
LEVEL: Final = 0.95
"""Coverage of each one-sided interval."""
PLANNED_MATURED: Final = 2_000
"""Members of each arm at which the always-valid end is tightest; far from it, it is a little wider."""


@dataclass(frozen=True, slots=True)
class RetentionChange:
    """Relative change of retention with its one-sided intervals; ``p`` is two-sided.

    ``upper`` holds over all looks together, ``lower`` for one look.
    """

    change: float
    upper: float
    lower: float
    p: float


def retention_change(
    retained: tuple[int, int], matured: tuple[int, int], level: float = LEVEL
) -> RetentionChange | None:
    """Compare the share that came back, (control, treatment); None where too few have had the time.

    Both ends are for the ratio of two proportions on the log scale (Katz et al. 1978). ``upper``, at which an
    arm is stopped whenever somebody looks, is the end of a confidence sequence (see :mod:`.sequential`):
    with an interval for one look, one harmless experiment in six would be stopped on one of 28 days. A member
    is one observation here, so that no clustering is left.
    """
    if min(matured) < FEWEST_MATURED or min(retained) == 0:
        return None
    low, _ = confint_proportions_2indep(
        retained[1], matured[1], retained[0], matured[0],
        method="log", compare="ratio", alpha=2 * (1 - level), correction=False,
    )  # fmt: skip
    ratio = retained[1] / matured[1] / (retained[0] / matured[0])
    high = ratio * np.exp(_margin(retained, matured, level))
    all_came = sum(retained) == sum(matured)
    p = 1.0 if all_came else float(proportions_ztest(retained[::-1], matured[::-1])[1])
    return RetentionChange(ratio - 1, float(high) - 1, float(low) - 1, p)


def _margin(retained: tuple[int, int], matured: tuple[int, int], level: float) -> float:
    """Return by how much the log ratio may lie below the truth at any look, with probability ``level``."""
    base, alpha = sum(retained) / sum(matured), 2 * (1 - level)
    planned = 2 * (1 - base) / base / PLANNED_MATURED
    variance = sum(1 / came - 1 / all_of for came, all_of in zip(retained, matured, strict=True))
    if variance == 0:
        return 0.0
    return float(margins(np.array(variance), tightest_ratio(alpha) * planned, alpha))


def members_needed(base: float, margin: float, power: float = 0.8, level: float = LEVEL) -> int:
    """Return members of each arm for an interval that excludes a loss of ``margin`` where there is none.

    ``base`` is the retention of control. It says how much the guardrail can see at all.
    """
    z = norm.ppf(level) + norm.ppf(power)
    return int(2 * (1 - base) / base * (z / margin) ** 2) + 1

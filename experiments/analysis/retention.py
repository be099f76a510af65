"""The guardrail: whether members of an arm come back as those of control do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from scipy.stats import norm
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

FEWEST_MATURED: Final = 100
"""Members of each arm that must have had the time to come back before anything is said."""
LEVEL: Final = 0.95
"""Coverage of the one-sided interval."""


@dataclass(frozen=True, slots=True)
class RetentionChange:
    """Relative change of retention, ``lower`` and ``upper`` its one-sided intervals, ``p`` two-sided."""

    change: float
    upper: float
    lower: float
    p: float


def retention_change(
    retained: tuple[int, int], matured: tuple[int, int], level: float = LEVEL
) -> RetentionChange | None:
    """Compare the share that came back, (control, treatment); None where too few have had the time.

    ``lower`` and ``upper`` are each the end of a one-sided interval of ``level``, for the ratio of two
    proportions on the log scale (Katz et al. 1978). A member is one observation here, so that no clustering
    is left.
    """
    if min(matured) < FEWEST_MATURED or min(retained) == 0:
        return None
    low, high = confint_proportions_2indep(
        retained[1], matured[1], retained[0], matured[0],
        method="log", compare="ratio", alpha=2 * (1 - level), correction=False,
    )  # fmt: skip
    ratio = retained[1] / matured[1] / (retained[0] / matured[0])
    all_came = sum(retained) == sum(matured)
    p = 1.0 if all_came else float(proportions_ztest(retained[::-1], matured[::-1])[1])
    return RetentionChange(ratio - 1, float(high) - 1, float(low) - 1, p)


def members_needed(base: float, margin: float, power: float = 0.8, level: float = LEVEL) -> int:
    """Return members of each arm for an interval that excludes a loss of ``margin`` where there is none.

    ``base`` is the retention of control. It says how much the guardrail can see at all.
    """
    z = norm.ppf(level) + norm.ppf(power)
    return int(2 * (1 - base) / base * (z / margin) ** 2) + 1

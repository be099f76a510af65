"""The two-proportion z-test that takes impressions for independent: shown beside the clustered one."""

from __future__ import annotations

from statsmodels.stats.proportion import proportions_ztest


def naive_z_test(successes: tuple[float, float], trials: tuple[float, float]) -> tuple[float, float] | None:
    """Return z and two-sided p of treatment against control (given in this order: control, treatment).

    None where there are no trials, or no spread. Its p-values are too small wherever members differ.
    """
    rate = sum(successes) / max(sum(trials), 1)
    if min(trials) <= 0 or not 0 < rate < 1:
        return None
    z, p = proportions_ztest(successes[::-1], trials[::-1])
    return float(z), float(p)

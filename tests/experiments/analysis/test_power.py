"""Sizes and probabilities, beside the textbook and beside simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from experiments.analysis.power import (
    denominators_needed,
    power_at,
    sequential_denominators_needed,
    sequential_power_at,
)


def test_size_as_in_the_textbook() -> None:
    # (1.96 + 0.84)^2 * (p1 q1 + p2 q2) / d^2 for each arm, p = 0.1 and 0.11
    needed = denominators_needed(0.1, 0.1)
    z = norm.ppf(0.975) + norm.ppf(0.8)
    assert needed == pytest.approx(2 * z**2 * (0.09 + 0.11 * 0.89) / 0.01**2, rel=0.01)


@pytest.mark.parametrize("share", [0.5, 0.2])
@pytest.mark.parametrize("lift", [0.05, -0.05])
def test_power_at_the_size_needed_is_the_power_asked_for(share: float, lift: float) -> None:
    sizes = {"treatment_share": share, "design_effect": 3.0}
    fixed = denominators_needed(0.08, lift, power=0.9, **sizes)
    daily = sequential_denominators_needed(0.08, lift, power=0.9, **sizes)
    assert power_at(fixed, 0.08, lift, **sizes) == pytest.approx(0.9, abs=0.002)
    assert sequential_power_at(daily, 0.08, lift, **sizes) == pytest.approx(0.9, abs=0.002)
    assert daily > fixed


def test_power_is_how_often_a_z_test_sees_the_lift() -> None:
    rng = np.random.default_rng(0)
    n = 20_000
    control, treatment = rng.binomial(n // 2, 0.1, 20_000), rng.binomial(n // 2, 0.11, 20_000)
    pooled = (control + treatment) / n
    z = (treatment - control) / (n / 2) / np.sqrt(pooled * (1 - pooled) * 4 / n)
    assert power_at(n, 0.1, 0.1) == pytest.approx((np.abs(z) > norm.ppf(0.975)).mean(), abs=0.015)


def test_a_design_effect_counts_like_as_many_times_fewer_impressions() -> None:
    assert power_at(30_000, 0.1, 0.1, design_effect=3) == pytest.approx(power_at(10_000, 0.1, 0.1))


@pytest.mark.parametrize(
    ("baseline", "lift", "share", "told"),
    [
        (0.0, 0.1, 0.5, "baseline 0.0"), (0.1, 0.0, 0.5, "lift 0.0"), (0.6, 0.9, 0.5, "lift 0.9"),
        (0.1, 0.1, 1.0, "treatment_share 1.0"),
    ],
)  # fmt: skip
def test_what_is_no_rate_is_refused(baseline: float, lift: float, share: float, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        power_at(1_000, baseline, lift, treatment_share=share)

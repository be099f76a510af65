"""The confidence sequence: its shape, and a Brownian motion that it has to hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binomtest, norm

from experiments.analysis.ratio_metric import Estimate, Moments
from experiments.analysis.sequential import (
    PLANNED_DESIGN_EFFECT,
    always_valid_p,
    confidence_sequence,
    looked_at,
    margins,
    mixture_variance,
    tightest_ratio,
)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_tightest_ratio_is_where_the_sequence_is_tightest_for_its_variance(alpha: float) -> None:
    k = tightest_ratio(alpha)
    at, below, above = (float(margins(np.array(1.0), one, alpha)) for one in (k, 0.9 * k, 1.1 * k))
    assert at < min(below, above)


def test_p_is_one_over_the_mixture_of_likelihood_ratios() -> None:
    value, variance, mixture = 0.31, 0.01, 0.05

    def ratio_at(effect: float) -> float:
        return norm.pdf(value, effect, variance**0.5) / norm.pdf(value, 0, variance**0.5)

    evidence, _ = quad(
        lambda effect: ratio_at(effect) * norm.pdf(effect, 0, mixture**0.5), -3, 3, points=[value]
    )
    found = always_valid_p(Estimate(np.array([value]), np.array([variance])), mixture)
    assert found[0] == pytest.approx(1 / evidence, rel=1e-6)


def test_p_reaches_alpha_when_the_sequence_leaves_zero_out() -> None:
    variance = np.array([0.04])
    margin = margins(variance, 0.1, 0.05)
    for factor, within in ((0.999, True), (1.001, False)):
        estimate = Estimate(margin * factor, variance)
        low, _ = confidence_sequence(estimate, 0.1, 0.05)
        assert (low[0] < 0) == within
        assert (always_valid_p(estimate, 0.1)[0] > 0.05) == within


def test_p_never_rises_and_unknown_looks_count_one() -> None:
    estimate = Estimate(np.array([np.nan, 0.5, 0.1, 0.0]), np.array([np.nan, 0.01, 0.01, 0.01]))
    p = always_valid_p(estimate, 0.05)
    assert p[0] == 1
    assert p[1] < 0.05
    assert p[1:].tolist() == [p[1]] * 3


def test_a_brownian_motion_stays_inside_as_often_as_promised() -> None:
    rng = np.random.default_rng(3)
    information = np.arange(1, 301.0)
    motion = rng.normal(size=(2_000, 300)).cumsum(axis=1)
    estimate = Estimate(motion / information, np.broadcast_to(1 / information, motion.shape))
    left = (always_valid_p(estimate, 0.2)[:, -1] <= 0.05).sum()
    looked_daily = (estimate.p <= 0.05).any(axis=1).mean()
    assert binomtest(int(left), 2_000, 0.05, alternative="greater").pvalue > 0.001
    assert left > 20  # not by being infinitely wide
    assert looked_daily > 0.3


def test_mixture_is_for_the_planned_size() -> None:
    # (1 - 0.2) / 0.2 * (1/1000 + 1/4000) = 0.005
    found = mixture_variance(0.2, (1_000, 4_000), 0.05)
    assert found == pytest.approx(tightest_ratio(0.05) * PLANNED_DESIGN_EFFECT * 0.005)


def test_nothing_is_looked_at_before_both_arms_have_members_and_plays() -> None:
    def arm(members: list[float], plays: list[float]) -> Moments:
        unused = np.zeros(len(members))
        return Moments(np.array(members), np.array(plays), unused, unused, unused, unused)

    control, treatment = (
        arm([100, 99, 100, 500], [25, 900, 900, 900]),
        arm([100, 500, 100, 500], [25, 900, 24, 900]),
    )
    assert looked_at(control, treatment).tolist() == [True, False, False, True]

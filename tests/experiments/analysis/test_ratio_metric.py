"""The delta method, by hand and beside the jackknife."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from experiments.analysis.ratio_metric import (
    Estimate,
    Moments,
    design_effect,
    difference,
    log_ratio,
    ratio,
)


def test_ratio_and_variance_by_hand() -> None:
    # R = 6/20 = 0.3; residuals 1 - 3 = -2, 3 - 1.5 = 1.5, 2 - 1.5 = 0.5; 3/2 * (4 + 2.25 + 0.25) / 400
    found = ratio(Moments.of_members(np.array([1, 3, 2]), np.array([10, 5, 5])))
    assert float(found.value) == pytest.approx(0.3)
    assert float(found.variance) == pytest.approx(1.5 * 6.5 / 400)


def test_variance_is_that_of_the_jackknife_over_members() -> None:
    rng = np.random.default_rng(0)
    n = 1 + rng.poisson(rng.gamma(1.0, 20.0, 400))
    y = rng.binomial(n, rng.beta(2, 18, 400))
    without = (y.sum() - y) / (n.sum() - n)
    jackknife = 399 / 400 * ((without - without.mean()) ** 2).sum()
    assert float(ratio(Moments.of_members(y, n)).variance) == pytest.approx(jackknife, rel=0.03)


def test_members_of_one_impression_have_the_variance_of_a_proportion() -> None:
    y = np.repeat([1, 0], [20, 80])
    found = ratio(Moments.of_members(y, np.ones(100)))
    assert float(found.variance) == pytest.approx(0.2 * 0.8 / 99)
    assert float(design_effect(Moments.of_members(y, np.ones(100)))) == pytest.approx(100 / 99)


def test_members_who_do_the_same_every_time_count_once_each() -> None:
    y = np.repeat([5, 0], [20, 80])
    assert float(design_effect(Moments.of_members(y, np.full(100, 5)))) == pytest.approx(5 * 100 / 99)


@pytest.mark.parametrize(("y", "n"), [([], []), ([1], [4]), ([0, 0], [0, 0])])
def test_nothing_is_estimated_from_nothing(y: list[int], n: list[int]) -> None:
    found = ratio(Moments.of_members(np.array(y), np.array(n)))
    assert np.isnan(found.value)
    assert np.isnan(found.variance)


def test_differences_add_variances() -> None:
    found = difference(Estimate(np.array(0.2), np.array(3.0)), Estimate(np.array(0.5), np.array(4.0)))
    assert (float(found.value), float(found.variance)) == (pytest.approx(0.3), 7.0)


def test_log_ratio_by_hand_and_the_same_both_ways() -> None:
    one, other = Estimate(np.array(0.1), np.array(1e-4)), Estimate(np.array(0.2), np.array(4e-4))
    found, back = log_ratio(one, other), log_ratio(other, one)
    assert float(found.value) == pytest.approx(np.log(2))
    assert float(found.variance) == pytest.approx(1e-4 / 0.01 + 4e-4 / 0.04)
    assert (float(back.value), float(back.p)) == (pytest.approx(-np.log(2)), pytest.approx(float(found.p)))


def test_log_ratio_of_an_arm_without_plays_is_unknown() -> None:
    none, some = Estimate(np.array(0.0), np.array(0.0)), Estimate(np.array(0.2), np.array(1e-4))
    assert np.isnan(log_ratio(none, some).value)
    assert np.isnan(log_ratio(some, none).z)


def test_interval_and_p_agree() -> None:
    z = norm.ppf(0.975)
    estimate = Estimate(np.array([z, 2.0, 0.0]), np.array([1.0, 4.0, 0.0]))
    low, high = estimate.interval(0.05)
    assert low[:2] == pytest.approx([0, 2 - 2 * z])
    assert high[:2] == pytest.approx([2 * z, 2 + 2 * z])
    assert estimate.p[:2] == pytest.approx([0.05, 2 * norm.sf(1)])
    assert np.isnan(estimate.p[2])

"""CUPED, beside a regression that statsmodels does."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.api import OLS, add_constant

from experiments.analysis.cuped import MemberSums, adjusted
from experiments.analysis.ratio_metric import Moments, ratio


def arm(rng: np.random.Generator, members: int, known: bool = True) -> MemberSums:
    propensity = rng.beta(2, 18, members)
    n, before = rng.poisson(30, members) + 1.0, (rng.poisson(30, members) + 1.0) * known
    y, pre_y = (rng.binomial(count.astype(int), propensity).astype(float) for count in (n, before))
    return MemberSums(y, n, pre_y, before, np.full(members, known))


def test_same_as_a_regression_with_a_dummy_for_the_arm() -> None:
    """With one impression count for all, the ratio is a mean, and CUPED is analysis of covariance."""
    rng = np.random.default_rng(0)
    arms = [arm(rng, 300), arm(rng, 500)]
    arms = [MemberSums(one.y, np.full(len(one.y), 30.0), one.pre_y, one.pre_n, one.known) for one in arms]
    control, treatment = adjusted(arms)
    y = np.concatenate([one.y for one in arms]) / 30
    x = np.column_stack(
        [
            np.repeat([0, 1], [300, 500]),
            *(np.concatenate([getattr(o, c) for o in arms]) for c in ("pre_y", "pre_n")),
        ]
    )
    expected = OLS(y, add_constant(x)).fit().params[1]
    assert float(treatment.value - control.value) == pytest.approx(expected)


def test_without_a_pre_period_nothing_changes() -> None:
    rng = np.random.default_rng(1)
    arms = [arm(rng, 200, known=False), arm(rng, 200, known=False)]
    for found, one in zip(adjusted(arms), arms, strict=True):
        plain = ratio(Moments.of_members(one.y, one.n))
        assert float(found.value) == pytest.approx(float(plain.value))
        assert float(found.variance) == pytest.approx(float(plain.variance))


def test_members_without_a_pre_period_keep_a_stratum_of_their_own() -> None:
    """New members play more; treatment happens to have more of them: that is taken out."""
    known = np.repeat([True, False], [80, 20])
    pattern = np.tile([0.9, 1.1], 50)

    def made(of: np.ndarray) -> MemberSums:
        y, nothing = np.where(of, 2.0, 6.0) * pattern, np.zeros(100)
        return MemberSums(y, np.full(100, 20.0), nothing, nothing, of)

    control, treatment = adjusted([made(known), made(np.repeat([True, False], [60, 40]))])
    assert float(treatment.value) == pytest.approx(float(control.value))


def test_an_arm_without_impressions_is_refused() -> None:
    rng = np.random.default_rng(2)
    none = MemberSums(*(np.zeros(5) for _ in range(4)), known=np.zeros(5, np.bool_))
    with pytest.raises(ValueError, match="wait for more"):
        adjusted([arm(rng, 10), none])

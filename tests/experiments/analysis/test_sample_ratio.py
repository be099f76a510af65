"""Members against shares, by hand and with the real bucketing."""

from __future__ import annotations

import pytest
from scipy.stats import chi2

from experiments.analysis.sample_ratio import BROKEN_BELOW, sample_ratio_test
from experiments.assignment import arm_of
from tests.experiments.analysis.logs import experiment


def test_chi_square_by_hand() -> None:
    # expected 200 and 100: 100/200 + 100/100
    statistic, p = sample_ratio_test([210, 90], [500, 250])
    assert statistic == pytest.approx(1.5)
    assert p == pytest.approx(float(chi2.sf(1.5, 1)))


def test_no_members_break_nothing() -> None:
    assert sample_ratio_test([0, 0], [500, 500]) == (0.0, 1.0)


def test_an_arm_that_loses_a_twentieth_of_its_members_is_caught() -> None:
    one = experiment()
    dealt = {"control": 0, "new": 0}
    kept = {"control": 0, "new": 0}
    for n in range(60_000):
        arm = arm_of(one, f"member-{n}").name
        dealt[arm] += 1
        kept[arm] += arm == "control" or n % 20 != 0
    assert sample_ratio_test(list(dealt.values()), [500, 500])[1] > BROKEN_BELOW
    assert sample_ratio_test(list(kept.values()), [500, 500])[1] < BROKEN_BELOW

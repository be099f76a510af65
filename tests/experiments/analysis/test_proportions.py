"""The naive z-test, by hand."""

from __future__ import annotations

import pytest
from scipy.stats import norm

from experiments.analysis.proportions import naive_z_test


def test_z_by_hand_and_positive_where_treatment_is_better() -> None:
    # pooled 0.25; standard error sqrt(0.25 * 0.75 * (1/100 + 1/300)) = 0.05; difference 0.2
    found = naive_z_test((10, 90), (100, 300))
    assert found is not None
    assert found == pytest.approx((4.0, 2 * norm.sf(4)))


@pytest.mark.parametrize(("successes", "trials"), [((0, 0), (9, 9)), ((9, 9), (9, 9)), ((0, 1), (0, 9))])
def test_without_spread_or_trials_nothing_is_said(
    successes: tuple[int, int], trials: tuple[int, int]
) -> None:
    assert naive_z_test(successes, trials) is None

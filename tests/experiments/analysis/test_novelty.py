"""A lift that changes with the days since first exposure."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.analysis.novelty import slope, slope_p
from experiments.analysis.ratio_metric import Moments


def days(rates: list[float], members: int = 50, shown: int = 100) -> Moments:
    """Moments by day of members of two kinds, whose rates lie a tenth above and below the day's."""
    n = np.full((len(rates), members), float(shown))
    y = n * np.array(rates)[:, None] * np.tile([0.9, 1.1], members // 2)
    return Moments.of_members(y, n)


def test_slope_of_a_log_ratio_that_falls_evenly() -> None:
    falling = [0.1 * np.exp(0.3 - 0.02 * day) for day in range(6)]
    found = slope(days([0.1] * 6), days(falling))
    assert found is not None
    assert found.value == pytest.approx(-0.02)
    assert found.days == 6


def test_weights_give_the_slope_back_as_a_member_moves_it() -> None:
    rng = np.random.default_rng(4)
    n = rng.poisson(30, (5, 200)).astype(float)
    y = rng.binomial(n.astype(int), 0.2).astype(float)
    other = Moments.of_members(rng.binomial(30, 0.2, (5, 200)), np.full((5, 200), 30))
    before = slope(other, Moments.of_members(y, n))
    moved = y.copy()
    moved[3, 7] += 1e-3
    after = slope(other, Moments.of_members(moved, n))
    assert before is not None
    assert after is not None
    # The weights of the days hardly move with it.
    assert (after.value - before.value) / 1e-3 == pytest.approx(before.treatment.y[3], rel=0.05)


def test_p_is_of_the_summed_squares() -> None:
    found = slope(days([0.1] * 4), days([0.1, 0.11, 0.12, 0.13]))
    assert found is not None
    assert slope_p(found, 0.0, (found.value / 1.959964) ** 2) == pytest.approx(0.05, abs=1e-6)


def test_days_with_few_plays_do_not_count_and_two_are_too_few() -> None:
    rates = [0.1, 0.1, 0.1, 0.004]
    found = slope(days(rates), days(rates))
    assert found is not None
    assert found.days == 3
    assert found.treatment.y[3] == found.treatment.n[3] == 0
    assert slope(days([0.1, 0.1, 0.001]), days([0.1, 0.1, 0.001])) is None

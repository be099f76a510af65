from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from feature_repo.transforms.decay import MICROSECONDS_PER_DAY, decay_factor

DAYS = st.floats(0, 60)


def test_after_the_time_constant_a_third_is_left():
    elapsed = np.array([0.0, 21.0, 42.0]) * MICROSECONDS_PER_DAY
    assert decay_factor(elapsed, 21.0) == pytest.approx([1.0, 0.36787944, 0.13533528])


def test_future_counts_in_full_and_unknown_stays_unknown():
    factor = decay_factor(np.array([-1e12, np.nan]), 7.0)
    assert factor[0] == 1.0
    assert np.isnan(factor[1])


def test_shape_is_kept():
    assert decay_factor(np.zeros((2, 3)), 1.0).shape == (2, 3)


@given(DAYS, DAYS)
def test_decaying_twice_is_decaying_once_for_longer(first: float, second: float):
    def factor(days: float) -> float:
        return float(decay_factor(np.array([days * MICROSECONDS_PER_DAY]), 7.0)[0])

    assert factor(first) * factor(second) == pytest.approx(factor(first + second))

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from training.calibration import CalibrationCurve, calibration_curve


def test_bins_hold_equal_shares_of_the_sorted_predictions() -> None:
    predicted = np.array([0.9, 0.1, 0.3, 0.7])
    observed = np.array([1.0, 0.0, 1.0, 1.0])
    curve = calibration_curve(predicted, observed, bins=2)
    assert curve.predicted == pytest.approx((0.2, 0.8))  # (0.1, 0.3) and (0.7, 0.9)
    assert curve.observed == (0.5, 1.0)
    assert curve.rows == (2, 2)


def test_the_error_is_the_mean_distance_weighted_by_rows() -> None:
    curve = CalibrationCurve(predicted=(0.2, 0.8), observed=(0.5, 1.0), rows=(3, 1))
    assert curve.error == pytest.approx((3 * 0.3 + 1 * 0.2) / 4)


def test_fewer_rows_than_bins_give_one_bin_each() -> None:
    assert calibration_curve(np.array([0.5, 0.1]), np.array([1.0, 0.0])).rows == (1, 1)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60), st.integers(1, 12))
def test_every_row_is_counted_once_and_predictions_rise(rows: list[tuple[float, bool]], bins: int) -> None:
    predicted = np.array([p for p, _ in rows])
    observed = np.array([o for _, o in rows], dtype=float)
    curve = calibration_curve(predicted, observed, bins)
    assert sum(curve.rows) == len(rows)
    assert np.average(curve.observed, weights=curve.rows) == pytest.approx(observed.mean())
    assert all(a <= b + 1e-12 for a, b in zip(curve.predicted, curve.predicted[1:], strict=False))


@pytest.mark.parametrize("outcomes", [0, 3])
def test_lengths_that_do_not_fit_are_refused(outcomes: int) -> None:
    with pytest.raises(ValueError, match="one outcome per prediction"):
        calibration_curve(np.zeros(outcomes and 2), np.zeros(outcomes))

from __future__ import annotations

import json

import numpy as np
import pytest

from training.evaluation.results import MetricRow, to_json, with_interval

ROW = MetricRow("als", "all", "recall", 20, 0.5, 400)


def test_rows_become_json() -> None:
    assert json.loads(json.dumps(to_json([ROW]))) == [
        {
            "model": "als", "segment": "all", "metric": "recall", "k": 20,
            "value": 0.5, "users": 400, "low": None, "high": None,
        }
    ]  # fmt: skip


def test_the_interval_is_about_two_standard_errors_wide() -> None:
    values = np.tile([0.0, 1.0], 200)
    row = with_interval(ROW, values, samples=1000, seed=1)
    # The standard error of the mean of 400 fair coins is 0.5 / 20.
    assert row.low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.008)
    assert row.high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.008)


def test_no_samples_no_interval() -> None:
    assert with_interval(ROW, np.ones(3), samples=0, seed=1) == ROW

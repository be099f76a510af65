from __future__ import annotations

import numpy as np
import pyarrow as pa

from feature_repo.ingest.faults import RowFaults


def test_the_reason_names_the_value_and_the_rule_does_not() -> None:
    faults = RowFaults(2)
    faults.add("watch_fraction", np.array([False, True]), "is above 1.0", pa.array([0.5, 1.7], pa.float32()))
    assert faults.reasons.tolist() == [None, "watch_fraction: 1.7 is above 1.0"]
    assert faults.rules.tolist() == [None, "watch_fraction: is above 1.0"]


def test_the_first_fault_of_a_row_stays() -> None:
    faults = RowFaults(2)
    faults.add("user_id", np.array([True, False]), "is missing")
    faults.add("title_id", np.array([True, True]), "is empty")
    assert faults.reasons.tolist() == ["user_id: is missing", "title_id: is empty"]
    assert faults.failed.tolist() == [True, True]


def test_text_is_shown_in_quotes() -> None:
    faults = RowFaults(1)
    faults.add("device_type", np.array([True]), "is unknown", pa.array(["fridge "]))
    assert faults.reasons[0] == "device_type: 'fridge ' is unknown"

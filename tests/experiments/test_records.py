"""What a decision may rest on, and how it is kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from experiments.records import DecisionRecord, apart

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def record(**changes: Any) -> DecisionRecord:
    given = {"experiment": "one", "decided_at": NOW, "action": "hold", "reason": "", "decided_by": "rule"}
    return DecisionRecord.model_validate(given | changes)


def test_evidence_is_as_json_says_it() -> None:
    evidence = {
        "interval": (-0.01, float("inf")), "p": float("nan"), "until": NOW, "lift": np.float64(0.5),
        "nested": {"arms": [{"name": "새로운"}], "none": None},
    }  # fmt: skip
    kept = record(evidence=evidence)
    assert kept.evidence == {
        "interval": [-0.01, "Infinity"], "p": "NaN", "until": "2026-11-01T00:00:00Z", "lift": 0.5,
        "nested": {"arms": [{"name": "새로운"}], "none": None},
    }  # fmt: skip
    text = kept.model_dump_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert DecisionRecord.model_validate_json(text) == kept


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"evidence": {"model": object()}}, "cannot be written as JSON"),
        ({"decided_at": NOW.replace(tzinfo=None)}, "timezone"),
        ({"action": "wait"}, "action"),
        ({"decided_by": "chance"}, "decided_by"),
    ],
)
def test_what_is_no_decision_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        record(**changes)


def test_another_decision_of_the_instant_stands_after_it_and_the_same_one_with_it() -> None:
    first = record()
    second = apart(record(reason="other"), [first])
    assert second.decided_at == NOW.replace(microsecond=1)
    third = apart(record(reason="third"), [first, second])
    assert third.decided_at == NOW.replace(microsecond=2)
    assert apart(record(), [first, second, third]) == first
    assert apart(record(reason="other"), [first, second, third]) == second

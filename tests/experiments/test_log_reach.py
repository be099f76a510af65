"""What a rule may ask of the impression log."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from experiments.definitions import DecisionRule
from experiments.errors import RuleRefusedError
from experiments.log_reach import KEPT_DAYS, check_rule
from experiments.store import ExperimentStore
from feature_repo.impression_log.retention import KEEP
from tests.experiments.conftest import Define


def test_the_log_is_kept_as_long_as_is_said() -> None:
    assert timedelta(days=KEPT_DAYS) == KEEP


def test_a_rule_that_the_log_can_hold_is_taken() -> None:
    check_rule(DecisionRule(minimum_days=60, retention_days=76))


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"minimum_days": 61}, "rule.minimum_days = 61: the impression log is kept 90 days"),
        ({"retention_days": 77}, "rule.retention_days = 77: the impression log is kept 90 days"),
    ],
)
def test_a_rule_that_outlasts_the_log_is_refused_at_the_creation(
    rule: dict[str, int], told: str, store: ExperimentStore, define: Define
) -> None:
    with pytest.raises(RuleRefusedError, match=re.escape(told)):
        store.create(define(rule=rule), datetime(2026, 3, 1, tzinfo=UTC))
    assert store.all() == []

"""How long the impression log is kept, and what a rule may ask of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from experiments.definitions import DecisionRule
from experiments.errors import RuleRefusedError

KEPT_DAYS: Final = 90
"""Impressions are kept so long (``feature_repo expire-impressions``)."""
LONGEST_MINIMUM_DAYS: Final = 60
"""The rest of the log's days are for the decision to be made, once the minimum is reached."""
JOINING_DAYS: Final = 14
"""Members must be let in for so long, and still have their ``retention_days`` within the log."""


def check_rule(rule: DecisionRule) -> None:
    """Raise :class:`RuleRefusedError` where the log would be gone before the rule could decide."""
    kept = f"the impression log is kept {KEPT_DAYS} days"
    if rule.minimum_days > LONGEST_MINIMUM_DAYS:
        raise RuleRefusedError(
            "minimum_days", rule.minimum_days,
            f"{kept}, and it must still be whole when it is decided: {LONGEST_MINIMUM_DAYS} at most",
        )  # fmt: skip
    longest = KEPT_DAYS - JOINING_DAYS
    if rule.retention_days > longest:
        raise RuleRefusedError(
            "retention_days", rule.retention_days,
            f"{kept}, {JOINING_DAYS} of them for members to come in: {longest} at most",
        )  # fmt: skip


def out_of_reach(started_at: datetime, now: datetime) -> bool:
    """Say whether the first days of an experiment may be gone from the log."""
    return now - started_at > timedelta(days=KEPT_DAYS)

"""The rule, line by line, on analyses made by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from experiments.analysis.results import (
    Analysis,
    ArmTotals,
    Comparison,
    Corrected,
    Effect,
    Guardrail,
    Look,
    SampleRatio,
)
from experiments.decision import decide
from experiments.definitions import DecisionRule

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = START + timedelta(days=30)
RULE = DecisionRule()
KEPT = Guardrail(
    matured=(2_900, 2_900), retained=(2_000, 2_004), needed=(2_000, 2_100), known=True,
    known_from=START, change=0.002, low=-0.05, high=0.06, p=0.9, margin=0.01, breached=False,
)  # fmt: skip
UNKNOWN = Guardrail(
    matured=(0, 0), retained=(0, 0), needed=(100, 100), known=False,
    known_from=datetime(2026, 4, 2, 8, tzinfo=UTC), margin=0.01, breached=False,
)  # fmt: skip
BREACHED = KEPT.model_copy(update={"change": -0.1, "high": -0.04, "breached": True})


def compared(arm: str = "new", lift: float = 0.05, low: float = 0.01, **changed: Any) -> Comparison:
    """A comparison whose always-valid interval, after Holm and before, is symmetrical about the lift."""
    high = 2 * lift - low
    effect = Effect(
        metric="play_rate", control=0.1, treatment=0.1 * (1 + lift), difference=0.1 * lift,
        difference_low=0.0, difference_high=0.0, lift=lift, lift_low=low, lift_high=high, z=0.0, p=0.5,
        design_effect=4.0,
    )  # fmt: skip
    p = 0.001 if low > 0 or high < 0 else 0.5
    fields: dict[str, Any] = {
        "naive": None, "effect": effect, "secondary": None, "guardrail": KEPT,
        "looks": (Look(day=NOW.date(), lift=lift, low=low, high=high, p=p),),
        "corrected": Corrected(level=0.05, low=low, high=high, p=p),
    }  # fmt: skip
    return Comparison(arm=arm, **(fields | changed))


def analysis(
    *comparisons: Comparison, days: float = 30, impressions: int = 200_000, p: float = 0.4
) -> Analysis:
    names = ["control", *(one.arm for one in comparisons)]
    arms = [
        ArmTotals(
            name=name, share=1000 // len(names), members=500,
            impressions=impressions if name == "control" else 0, plays=0,
            completions=0, play_rate=None, completion_rate=None,
        )
        for name in names
    ]  # fmt: skip
    return Analysis(
        experiment="trial", layer="ranker", metric="play_rate", alpha=0.05, as_of=NOW, started_at=START,
        ended_at=START + timedelta(days=days), arms=tuple(arms), contaminated=0,
        sample_ratio=SampleRatio(chi_square=1.0, p=p, broken=p < 0.001), comparisons=comparisons,
    )  # fmt: skip


def test_a_broken_sample_ratio_holds_with_an_alert_whatever_else() -> None:
    verdict = decide(analysis(compared(guardrail=BREACHED), p=1e-5), RULE, NOW)
    assert (verdict.action, verdict.arm, verdict.alert) == ("hold", None, True)
    assert "control 500" in verdict.reason


def test_an_experiment_whose_first_days_the_log_no_longer_holds_is_held_with_an_alert() -> None:
    for days, action in ((90, "roll_back"), (90.1, "hold")):
        found = analysis(compared(guardrail=BREACHED), days=days)
        found = found.model_copy(update={"as_of": START + timedelta(days=days)})
        verdict = decide(found, RULE, NOW)
        assert verdict.action == action
    assert verdict.alert
    assert "started on 2026-03-01" in verdict.reason


def test_a_breached_guardrail_rolls_back_at_once() -> None:
    verdict = decide(analysis(compared(guardrail=BREACHED), days=1, impressions=10), RULE, NOW)
    assert (verdict.action, verdict.arm) == ("roll_back", "new")
    assert "-10.00%" in verdict.reason
    assert not verdict.alert


def test_the_arm_that_loses_most_members_is_named() -> None:
    worse = BREACHED.model_copy(update={"change": -0.3})
    verdict = decide(analysis(compared("a", guardrail=BREACHED), compared("b", guardrail=worse)), RULE, NOW)
    assert verdict.arm == "b"


@pytest.mark.parametrize(
    ("days", "impressions", "told"),
    [
        (13.5, 200_000, "0.5 of 14 days"), (14.0, 99_000, "1,000 of 100,000 impressions"),
        (10.0, 60_000, "4.0 of 14 days and 40,000 of 100,000 impressions"),
    ],
)  # fmt: skip
def test_what_the_minima_lack_is_told(days: float, impressions: int, told: str) -> None:
    verdict = decide(analysis(compared(), days=days, impressions=impressions), RULE, NOW)
    assert verdict.action == "hold"
    assert told in verdict.reason


def test_at_the_minima_it_is_decided() -> None:
    assert decide(analysis(compared(), days=14, impressions=100_000), RULE, NOW).action == "promote"


def test_the_best_arm_that_wins_is_promoted() -> None:
    arms = (
        compared("wide", lift=0.4, low=-0.1), compared("good", lift=0.05), compared("better", lift=0.06),
        compared("unknown", lift=0.3, guardrail=UNKNOWN),
    )  # fmt: skip
    verdict = decide(analysis(*arms), RULE, NOW)
    assert (verdict.action, verdict.arm) == ("promote", "better")


@pytest.mark.parametrize(
    "one",
    [
        compared(lift=0.009, low=0.001),
        compared(low=-0.001),
        compared(corrected=Corrected(level=0.01, low=-0.01, high=0.1, p=0.03)),
        compared(corrected=Corrected(level=0.05, low=0.01, high=0.1, p=0.06)),
        compared(effect=None, looks=(), corrected=None),
    ],
    ids=[
        "below the minimum lift",
        "zero inside",
        "zero inside after Holm",
        "p over alpha after Holm",
        "no look",
    ],
)
def test_what_does_not_win_is_held(one: Comparison) -> None:
    verdict = decide(analysis(one), RULE, NOW)
    assert (verdict.action, verdict.arm) == ("hold", None)
    assert verdict.reason.startswith("undecided")


def test_a_winner_waits_until_its_guardrail_can_be_known() -> None:
    verdict = decide(analysis(compared(guardrail=UNKNOWN)), RULE, NOW)
    assert (verdict.action, verdict.arm) == ("hold", "new")
    assert "from 2026-04-02 08:00 UTC" in verdict.reason
    assert "to say anything it takes about 100 members of control and 100 of new" in verdict.reason


def test_a_winner_waits_for_members_enough_to_see_a_loss() -> None:
    few = KEPT.model_copy(update={"matured": (700, 690), "known": False, "known_from": None})
    verdict = decide(analysis(compared(guardrail=few)), RULE, NOW)
    assert (verdict.action, verdict.arm) == ("hold", "new")
    assert (
        "to see a loss of 10% it takes about 2,000 members of control and 2,100 of new who have had their 28 "
        "days, of whom there are 700 and 690; too few are in the experiment yet"
    ) in verdict.reason


def test_only_where_every_arm_loses_it_is_rolled_back() -> None:
    losing = compared("a", lift=-0.05, low=-0.09)
    assert decide(analysis(losing, compared("b", lift=0.0, low=-0.1)), RULE, NOW).action == "hold"
    verdict = decide(analysis(losing, compared("b", lift=-0.04, low=-0.07, guardrail=UNKNOWN)), RULE, NOW)
    assert (verdict.action, verdict.arm) == ("roll_back", "b")


def test_the_rules_own_numbers_are_used() -> None:
    strict = DecisionRule(minimum_lift=0.06, minimum_days=31)
    assert "1.0 of 31 days" in decide(analysis(compared()), strict, NOW).reason
    patient = DecisionRule(minimum_lift=0.06)
    assert decide(analysis(compared()), patient, NOW).action == "hold"


def test_evidence_is_plain_and_dated() -> None:
    verdict = decide(analysis(compared()), RULE, NOW)
    evidence = json.loads(json.dumps(verdict.evidence))
    assert evidence == verdict.evidence
    assert evidence["decided_at"] == NOW.isoformat()
    assert evidence["last_looks"]["new"]["low"] == 0.01
    assert evidence["analysis"]["comparisons"][0]["corrected"]["p"] == 0.001
    assert evidence["rule"]["minimum_lift"] == 0.01

"""What becomes of an experiment, decided from its analysis alone.

The first line that applies decides:

| when | verdict | why |
|---|---|---|
| the sample ratio is broken | hold, with an alert | what is left of the arms cannot be compared |
| it runs longer than the impression log is kept | hold, with an alert | its first days may be gone |
| an arm breaches the retention guardrail | roll back | members leave: that is not waited out |
| minimum days or impressions are missing | hold | weekdays differ, and early lifts are mostly noise |
| an arm wins: see below | promote the best that does | |
| the same, its guardrail not known yet | hold, with the members that it takes | too few to see a loss |
| the always-valid intervals of all arms lie below 0 | roll back | nothing here can win |
| otherwise | hold | it is not decided |

An arm wins whose lift reaches the minimum, whose always-valid interval lies above 0 after Holm's correction,
and whose guardrail is known and not breached. The interval above 0 is that of Holm's level; a loss is looked
at without Holm, since going back harms nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from experiments.analysis.results import Analysis, Comparison
from experiments.definitions import DecisionRule
from experiments.log_reach import KEPT_DAYS, out_of_reach

Action = Literal["promote", "hold", "roll_back"]
ALERT: Final = "ALERT"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do, of which arm, why, and on what evidence (plain values, as JSON holds them).

    ``reason`` of a hold that people must look at begins with ``ALERT``.
    """

    action: Action
    arm: str | None
    reason: str
    evidence: dict[str, Any]

    @property
    def alert(self) -> bool:
        """Whether people must look at it."""
        return self.reason.startswith(ALERT)


def decide(analysis: Analysis, rule: DecisionRule, now: datetime) -> Verdict:
    """Return what becomes of an experiment; see the table above. ``now`` dates the evidence."""
    action, arm, reason = _stop(analysis, rule) or _by_the_lift(analysis, rule)
    return Verdict(action, arm, reason, _evidence(analysis, rule, now))


def _stop(analysis: Analysis, rule: DecisionRule) -> tuple[Action, str | None, str] | None:
    """What is decided without a look at the lift."""
    if analysis.sample_ratio.broken:
        return "hold", None, _broken(analysis)
    if out_of_reach(analysis.started_at, analysis.as_of):
        return "hold", None, _gone(analysis)
    if (breached := _breached(analysis.comparisons)) is not None:
        return "roll_back", breached.arm, _breach(breached)
    missing = _missing(analysis, rule)
    return ("hold", None, missing) if missing else None


def _by_the_lift(analysis: Analysis, rule: DecisionRule) -> tuple[Action, str | None, str]:
    winners = sorted((one for one in analysis.comparisons if _wins(one, rule)), key=lambda one: -_lift(one))
    safe = [one for one in winners if one.guardrail.known]
    if safe:
        return "promote", safe[0].arm, _promotion(safe[0], rule)
    if winners:
        return "hold", winners[0].arm, _unknown_guardrail(winners[0], rule)
    if _all_lose(analysis.comparisons):
        best = max(analysis.comparisons, key=_lift)
        return "roll_back", best.arm, _loss(best)
    return "hold", None, _undecided(analysis, rule)


def _breached(comparisons: Sequence[Comparison]) -> Comparison | None:
    """The arm that loses most members, where any loses too many."""
    found = [one for one in comparisons if one.guardrail.breached]
    return min(found, key=lambda one: one.guardrail.change or 0.0) if found else None


def _wins(one: Comparison, rule: DecisionRule) -> bool:
    corrected = one.corrected
    return (
        corrected is not None
        and corrected.p <= rule.alpha
        and corrected.low > 0
        and _lift(one) >= rule.minimum_lift
    )


def _all_lose(comparisons: Sequence[Comparison]) -> bool:
    return all(one.looks and one.looks[-1].high < 0 for one in comparisons)


def _lift(one: Comparison) -> float:
    return one.effect.lift if one.effect is not None else float("-inf")


def _missing(analysis: Analysis, rule: DecisionRule) -> str:
    """Say what the minima lack; empty where nothing does."""
    missing = []
    if analysis.days < rule.minimum_days:
        missing.append(f"{rule.minimum_days - analysis.days:.1f} of {rule.minimum_days} days")
    if analysis.impressions < rule.minimum_impressions:
        lacking = rule.minimum_impressions - analysis.impressions
        missing.append(f"{lacking:,} of {rule.minimum_impressions:,} impressions")
    return f"too early: {' and '.join(missing)} are missing" if missing else ""


def _broken(analysis: Analysis) -> str:
    counts = ", ".join(f"{arm.name} {arm.members:,} (share {arm.share / 10:g} %)" for arm in analysis.arms)
    return (
        f"{ALERT}: the sample ratio is broken (p = {analysis.sample_ratio.p:.2g}): {counts}. "
        "Nothing is decided: find where an arm loses or gains members, then start anew under another name"
    )


def _gone(analysis: Analysis) -> str:
    return (
        f"{ALERT}: it was started on {analysis.started_at:%Y-%m-%d}, and the impression log is kept "
        f"{KEPT_DAYS} days: its first days may be gone, and nothing is decided on the rest. Promote or roll "
        "it back by hand, or start anew under another name"
    )


def _breach(one: Comparison) -> str:
    guardrail = one.guardrail
    return (
        f"guardrail: retention of {one.arm} changes by {guardrail.change:+.2%}, at best by "
        f"{guardrail.high:+.2%}; {-guardrail.margin:+.2%} is put up with"
    )


def _promotion(one: Comparison, rule: DecisionRule) -> str:
    kept = f"its retention is kept: a loss of {rule.retention_loss:.0%} would have been seen"
    return f"{_gain(one)}, {_corrected(one)}; {kept}"


def _unknown_guardrail(one: Comparison, rule: DecisionRule) -> str:
    guardrail = one.guardrail
    least = guardrail.needed
    what = "to say anything" if guardrail.change is None else f"to see a loss of {rule.retention_loss:.0%}"
    takes = (
        f"{what} it takes about {least[0]:,} members of control and {least[1]:,} of {one.arm} who have had "
        f"their {rule.retention_days} days, of whom there are {guardrail.matured[0]:,} and "
        f"{guardrail.matured[1]:,}"
    )
    when = "too few are in the experiment yet"
    if guardrail.known_from is not None:
        when = f"it can be known from {guardrail.known_from:%Y-%m-%d %H:%M} UTC at the earliest"
    return f"{_gain(one)}, but its retention is not known yet: {takes}; {when}"


def _loss(one: Comparison) -> str:
    look = one.looks[-1]
    return f"no arm can win: at best {_gain(one)}, always-valid interval {look.low:+.2%} to {look.high:+.2%}"


def _undecided(analysis: Analysis, rule: DecisionRule) -> str:
    best = max(analysis.comparisons, key=_lift)
    if best.effect is None or best.corrected is None:
        return "undecided: there is too little to compare the arms by"
    wanted = f"{rule.minimum_lift:+.2%} and all of it above 0 promote"
    return f"undecided: {_gain(best)}, {_corrected(best)}; {wanted}"


def _gain(one: Comparison) -> str:
    return f"{one.arm} changes the metric by {_lift(one):+.2%}"


def _corrected(one: Comparison) -> str:
    found = one.corrected
    if found is None:
        return "which cannot be looked at yet"
    return f"always-valid interval after Holm {found.low:+.2%} to {found.high:+.2%} (p = {found.p:.2g})"


def _evidence(analysis: Analysis, rule: DecisionRule, now: datetime) -> dict[str, Any]:
    whole = analysis.model_dump(mode="json", exclude={"daily": True, "comparisons": {"__all__": {"looks"}}})
    last = {one.arm: one.looks[-1].model_dump(mode="json") for one in analysis.comparisons if one.looks}
    return {
        "decided_at": now.isoformat(),
        "days": round(analysis.days, 3),
        "impressions": analysis.impressions,
        "rule": rule.model_dump(mode="json"),
        "last_looks": last,
        "analysis": whole,
    }

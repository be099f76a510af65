"""Experiments as text for people and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from experiments.definitions import DecisionRule, Eligibility, Experiment
from experiments.records import Alert, DecisionRecord

_EXAMPLES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "candidate": (
        "Fewer titles by popularity leave room for neighbours.",
        {"generators": {"popularity": {"limit": 50}}},
    ),
    "ranker": ("The challenger's pages are played from more often.", {"bundle": "challenger"}),
    "post_filter": ("More variety keeps members browsing.", {"page": {"variety_weight": 0.3}}),
    "ui": ("Larger tiles are easier to choose from.", {"variant": "large-tiles"}),
}


def template(layer: str) -> dict[str, Any]:
    """Return a valid definition of a layer to start from, with the defaults of rule and eligibility."""
    hypothesis, treatment = _EXAMPLES[layer]
    return {
        "name": f"{layer.replace('_', '-')}-1",
        "layer": layer,
        "hypothesis": hypothesis,
        "arms": [
            {"name": "control", "share": 500},
            {"name": "treatment", "share": 500, "treatment": treatment},
        ],
        "traffic": 100,
        "first_bucket": None,
        "eligibility": Eligibility().model_dump(mode="json"),
        "rule": DecisionRule().model_dump(mode="json"),
    }


def experiment_json(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment as JSON; ``buckets`` are its first and its last."""
    fields = experiment.model_dump(mode="json")
    return {
        "name": experiment.name,
        **fields,
        "buckets": [experiment.buckets.start, experiment.buckets.stop - 1],
    }


def table(experiments: Sequence[Experiment]) -> str:
    """Return a line for each experiment under a heading."""
    lines = [("NAME", "LAYER", "STATUS", "BUCKETS", "STARTED", "ARMS")]
    lines += [
        (
            e.name, e.definition.layer, e.status.value, _buckets(e), _instant(e.started_at),
            ", ".join(f"{arm.name} {_percent(arm.share)}" for arm in e.definition.arms),
        )
        for e in experiments
    ]  # fmt: skip
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def description(experiment: Experiment, alerts: Sequence[Alert], decisions: Sequence[DecisionRecord]) -> str:
    """Return all there is to say about an experiment."""
    definition = experiment.definition
    why = f": {experiment.reason}" if experiment.reason else ""
    lines = [
        f"{experiment.name} is {experiment.status}{why}",
        f"  hypothesis  {definition.hypothesis or '-'}",
        f"  layer       {definition.layer}, buckets {_buckets(experiment)} ({_percent(definition.traffic)})",
        f"  created     {_instant(experiment.created_at)}",
        f"  started     {_instant(experiment.started_at)}",
        f"  ended       {_instant(experiment.ended_at)}",
        f"  decided by  {definition.rule.metric}, after {definition.rule.minimum_days} days and "
        f"{definition.rule.minimum_impressions:,} impressions",
    ]
    for arm in definition.arms:
        changes = arm.treatment.model_dump_json(exclude_defaults=True)
        lines.append(f"  arm         {arm.name} {_percent(arm.share)} {'' if changes == '{}' else changes}")
    lines += [f"  alert       {_instant(alert.at)} {alert.message}" for alert in alerts]
    lines += [f"  decision    {decision_line(record)}" for record in decisions]
    return "\n".join(line.rstrip() for line in lines)


def decision_line(record: DecisionRecord) -> str:
    """Return a decision in one line."""
    arm = f" {record.arm}" if record.arm else ""
    bundle = (
        f"; champion {record.champion_before} -> {record.champion_after}" if record.champion_after else ""
    )
    what = f"{record.action.replace('_', ' ')}{arm} by {record.decided_by}"
    return f"{_instant(record.decided_at)} {what}: {record.reason}{bundle}"


def alert_line(alert: Alert) -> str:
    """Return an alert in one line."""
    return f"{_instant(alert.at)}  {alert.experiment}  {alert.message}"


def _buckets(experiment: Experiment) -> str:
    return f"{experiment.buckets.start}-{experiment.buckets.stop - 1}"


def _percent(thousandths: int) -> str:
    return f"{thousandths / 10:g} %"


def _instant(instant: datetime | None) -> str:
    return "-" if instant is None else f"{instant:%Y-%m-%dT%H:%M:%SZ}"

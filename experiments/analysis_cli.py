"""``analyze``, ``report`` and ``power``: what an experiment says, and how large it must be."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.table import Table

from experiments.analysis.results import Analysis
from experiments.command_line import at_option, json_option, opened_store, print_json
from experiments.decision import Verdict
from experiments.service_time import analysis_instant
from feature_repo.settings import Settings

if TYPE_CHECKING:
    from experiments.judging import Judged

_ONE_LOOK: Final = "at one look"
_DAILY: Final = "looked at daily"


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print everything, as JSON.")
@at_option
def analyze(name: str, as_json: bool, at: datetime | None) -> None:
    """Say how the arms of an experiment do, and what the rule would decide; nothing is changed.

    \b
    Examples:
        python -m experiments analyze ranker-1
        python -m experiments analyze ranker-1 --at 2026-03-15 --json
    """
    judged = _judged(Settings.from_environment(), name, at)
    analysis, verdict = judged.analysis, judged.verdict
    if as_json:
        found = {"analysis": json.loads(analysis.to_json()), "verdict": _plain(verdict)}
        click.echo(json.dumps(found, indent=2))
        return
    console = Console() if os.isatty(1) else Console(width=140)
    console.print(comparison_table(analysis))
    console.print(f"{verdict.action.replace('_', ' ')}: {verdict.reason}", markup=False)


@click.command()
@click.argument("name")
@json_option
@at_option
def report(name: str, as_json: bool, at: datetime | None) -> None:
    """Write an experiment's report page, and say where it is.

    \b
    Example:
        python -m experiments report ranker-1
    """
    settings = Settings.from_environment()
    writing: Any = import_module("experiments.report")
    judged = _judged(settings, name, at)
    file = writing.write_report(settings.home, judged.experiment, judged.analysis, judged.verdict)
    page = str(file / writing.PAGE_FILE)
    if as_json:
        print_json({"experiment": name, "page": page, "verdict": _plain(judged.verdict)})
    else:
        click.echo(page)


@click.command()
@click.option("--baseline", required=True, type=click.FloatRange(0, 1), help="Control's rate, such as 0.05.")
@click.option("--lift", required=True, type=float, help="Relative lift to be seen, such as 0.02.")
@click.option(
    "--alpha", default=0.05, show_default=True, type=click.FloatRange(0, 1, True, True),
    help="How often a lift may be seen where there is none.",
)  # fmt: skip
@click.option(
    "--power", "wanted", default=0.8, show_default=True, type=click.FloatRange(0, 1, True, True),
    help="How often it is to be seen where it is there.",
)  # fmt: skip
@click.option("--share", default=0.5, show_default=True, type=float, help="Treatment's part of the two arms.")
@click.option(
    "--design-effect", default=5.0, show_default=True, type=click.FloatRange(1), help="`analyze` tells it."
)
@click.option("--per-member", type=click.FloatRange(0, min_open=True), help="Impressions of one member.")
@click.option("--impressions", type=click.IntRange(1), help="Tell the power at this size (both arms), too.")
@json_option
def power(
    baseline: float, lift: float, alpha: float, wanted: float, share: float, design_effect: float,
    per_member: float | None, impressions: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Say how many impressions it takes to see a lift: at one look, and looked at daily.

    \b
    Example:
        python -m experiments power --baseline 0.05 --lift 0.02 --per-member 300
    """
    size: Any = import_module("experiments.analysis.power")
    sizes = {"alpha": alpha, "treatment_share": share, "design_effect": design_effect}
    reached: dict[str, float] = {}
    try:
        needed = {
            _ONE_LOOK: size.denominators_needed(baseline, lift, power=wanted, **sizes),
            _DAILY: size.sequential_denominators_needed(baseline, lift, power=wanted, **sizes),
        }
        if impressions is not None:
            reached[_ONE_LOOK] = size.power_at(impressions, baseline, lift, **sizes)
            reached[_DAILY] = size.sequential_power_at(impressions, baseline, lift, **sizes)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        print_json([_needed(how, count, per_member, reached.get(how)) for how, count in needed.items()])
        return
    for how, count in needed.items():
        members = f", {count / per_member:,.0f} members" if per_member else ""
        click.echo(f"{how}: {count:,} impressions{members}")
    if reached:
        told = ", ".join(f"{power:.3f} {how}" for how, power in reached.items())
        click.echo(f"power at {impressions:,}: {told}")


def _needed(how: str, impressions: int, per_member: float | None, power: float | None) -> dict[str, Any]:
    members = None if per_member is None else round(impressions / per_member)
    return {"looks": how, "impressions": impressions, "members": members, "power": power}


def comparison_table(analysis: Analysis) -> Table:
    """Lay the arms out against control."""
    title = (
        f"{analysis.experiment}: {analysis.metric.replace('_', ' ')}, {analysis.impressions:,} impressions"
    )
    shown = Table(title=f"{title}, {analysis.days:.1f} days", title_justify="left")
    for column in (
        "arm",
        "members",
        "rate",
        "lift",
        "always-valid interval",
        "p",
        "p after Holm",
        "retention",
    ):
        shown.add_column(column, justify="left" if column == "arm" else "right", no_wrap=True)
    for place, arm in enumerate(analysis.arms):
        rate = arm.play_rate if analysis.metric == "play_rate" else arm.completion_rate
        cells = [arm.name, f"{arm.members:,}", "–" if rate is None else f"{rate:.3%}"]
        shown.add_row(*cells, *(_compared(analysis, arm.name) if place else [""] * 5))
    return shown


def _compared(analysis: Analysis, arm: str) -> list[str]:
    one = analysis.comparison(arm)
    guardrail = "–" if one.guardrail.change is None else f"{one.guardrail.change:+.2%}"
    if one.effect is None or not one.looks or one.corrected is None:
        return ["–"] * 4 + [guardrail]
    look = one.looks[-1]
    bounds = f"{look.low:+.2%} to {look.high:+.2%}"
    return [f"{one.effect.lift:+.2%}", bounds, f"{look.p:.3g}", f"{one.corrected.p:.3g}", guardrail]


def _judged(settings: Settings, name: str, at: datetime | None) -> Judged:
    judging = _judging()
    with opened_store(settings) as store:
        now = at or analysis_instant(store, settings, datetime.now(UTC))
        found: Judged = judging.judge(store, settings, name, now)
        return found


def _judging() -> Any:
    """Load what analyses: it brings statsmodels along, for whose loading no other command need wait."""
    return import_module("experiments.judging")


def _plain(verdict: Verdict) -> dict[str, Any]:
    return {"action": verdict.action, "arm": verdict.arm, "reason": verdict.reason}

"""``python -m serving shadow-report``: how the challenger agrees with the champion."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Final

import click

from feature_repo.settings import Settings
from serving.shadow_log import read_records
from serving.shadow_report import ShadowBounds, ShadowDay, report

SHADOW_FOLDER: Final = "shadow"
"""In the home."""


@click.command(name="shadow-report")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="First day.  [default: all that are kept]")
@click.option("--challenger", help="Only of this version.")
@click.option("--json", "as_json", is_flag=True, help="JSON, for scripts.")
@click.option("--gate", is_flag=True, help="End with status 1 unless the last day of each pair is sound.")
def shadow_report_command(since: datetime | None, challenger: str | None, as_json: bool, gate: bool) -> None:
    """Say by day how the challenger's pages agree with those that members saw, and what is wrong with them.

    It tells whether a challenger is broken, not whether it is better: run an experiment for that.

    \b
    Examples:
        python -m serving shadow-report --since 2026-03-01
        python -m serving shadow-report --challenger 20260102T030405Z-0a1b2c3d --gate
    """
    first: date | None = None if since is None else since.date()
    records = read_records(Settings.from_environment().home / SHADOW_FOLDER, first)
    days = report(one for one in records if challenger in (None, one.challenger))
    if as_json:
        click.echo(json.dumps([day.model_dump(mode="json") for day in days], indent=2))
    elif not days:
        click.echo("no page was compared yet: activate a challenger, and see that shadow.share is above 0")
    else:
        click.echo("\n".join(_lines(days)))
    last = {(day.champion, day.challenger): day.verdict for day in days}
    if gate and (not last or any(verdict != "sound" for verdict in last.values())):
        raise click.exceptions.Exit(1)


def _lines(days: list[ShadowDay]) -> list[str]:
    lines = []
    for day in days:
        lines += [
            f"{day.day}  {day.challenger} beside {day.champion}: {day.verdict}",
            f"    {day.pages:,} pages; failed {day.failed:.1%}, degraded {day.degraded:.1%} (champion "
            f"{day.champion_degraded:.1%}); {_number(day.challenger_ms)} ms "
            f"(champion {day.champion_ms:.3g}), p99 {_number(day.challenger_p99_ms)} ms",
            f"    overlap of the first 40 {_number(day.overlap)}, rank correlation "
            f"{_number(day.correlation)}, score shift {_number(day.score_shift)}; score differences "
            f"{' / '.join(map(_number, day.differences or (None,)))}",
        ]
        lines += [f"    ! {reason}" for reason in day.reasons]
    bounds = ", ".join(f"{name} {value:g}" for name, value in ShadowBounds().model_dump().items())
    return [*lines, f"bounds: {bounds}"]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"

"""The commands of the analysis."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import click
import pytest
from click.testing import CliRunner

from experiments.analysis.power import denominators_needed, sequential_denominators_needed
from experiments.analysis.results import Analysis
from experiments.analysis_cli import analyze, comparison_table, power
from experiments.command_line import instant
from tests.experiments.test_report import BARE, FULL


def test_power_tells_sizes_of_impressions_and_members() -> None:
    arguments = ["--baseline", "0.1", "--lift", "0.05", "--design-effect", "4", "--per-member", "100"]
    told = CliRunner().invoke(power, [*arguments, "--impressions", "500000"])
    assert told.exit_code == 0, told.output
    once = denominators_needed(0.1, 0.05, design_effect=4)
    daily = sequential_denominators_needed(0.1, 0.05, design_effect=4)
    assert f"at one look: {once:,} impressions, {once / 100:,.0f} members" in told.output
    assert f"looked at daily: {daily:,} impressions" in told.output
    assert "power at 500,000: 0.8" in told.output
    written = json.loads(CliRunner().invoke(power, [*arguments, "--json"]).stdout)
    assert [(one["looks"], one["impressions"], one["members"]) for one in written] == [
        ("at one look", once, round(once / 100)), ("looked at daily", daily, round(daily / 100)),
    ]  # fmt: skip


def test_power_of_what_is_no_rate_names_it() -> None:
    told = CliRunner().invoke(power, ["--baseline", "0.9", "--lift", "0.5"])
    assert told.exit_code == 2
    assert "lift 0.5 of baseline 0.9" in told.output


def test_table_shows_each_arm_and_what_is_not_known_as_a_dash() -> None:
    def cells(analysis: Analysis) -> list[list[str]]:
        return [list(map(str, column.cells)) for column in comparison_table(analysis).columns]

    assert cells(FULL) == [
        ["control", "new"], ["6,011", "3,989"], ["10.000%", "10.400%"], ["", "+4.00%"],
        ["", "+1.50% to +6.50%"], ["", "0.5"], ["", "0.0333"], ["", "+0.83%"],
    ]  # fmt: skip
    assert cells(BARE)[3:] == [["", "–"]] * 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T12:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00+02:00", datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_instants_are_utc_where_they_say_nothing_else(text: str, expected: datetime) -> None:
    assert instant(None, None, text) == expected


def test_what_is_no_instant_is_refused() -> None:
    with pytest.raises(click.BadParameter, match="'soon' is no instant"):
        instant(None, None, "soon")
    told = CliRunner().invoke(analyze, ["trial", "--as-of", "soon"])
    assert told.exit_code == 2

"""docs/runbook.md has a section for each alert, and asks for metrics that there are."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from feature_repo.settings import REPOSITORY_ROOT

RUNBOOK = (REPOSITORY_ROOT / "docs" / "runbook.md").read_text("utf-8")
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((REPOSITORY_ROOT / "operations" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
PACKAGES = ("feature_repo", "training", "serving", "experiments")
SERIES = re.compile(r"_(?:bucket|count|sum|total)$")
"""What Prometheus adds to a metric's name."""


def metrics_of_the_code() -> set[str]:
    """Return the names under which the programs declare their metrics."""
    texts = (path.read_text("utf-8") for name in PACKAGES for path in (REPOSITORY_ROOT / name).rglob("*.py"))
    return {name for text in texts for name in re.findall(r'"(marquee_[a-z_]+)"', text)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_has_a_section_that_tells_how_it_heals_and_points_to_it(rule: dict[str, Any]) -> None:
    name = rule["alert"]
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    [section] = re.findall(rf"^## {name}\n(.*?)(?=^## )", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert "**Healed**" in section or f"](#{name.lower().replace('very', '')})" in section


def test_the_runbook_has_no_section_of_an_alert_that_there_is_not() -> None:
    assert set(re.findall(r"^## (Marquee\w+)$", RUNBOOK, re.MULTILINE)) == {rule["alert"] for rule in RULES}


def test_the_runbook_asks_for_metrics_that_there_are() -> None:
    named = set(re.findall(r"marquee_[a-z_]+[a-z]", RUNBOOK))
    assert {SERIES.sub("", name) for name in named} <= metrics_of_the_code()

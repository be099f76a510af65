from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from feature_repo.settings import REPOSITORY_ROOT
from tests.operations.exporters import exposed

RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((REPOSITORY_ROOT / "operations" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
RUNBOOK = (REPOSITORY_ROOT / "docs" / "runbook.md").read_text("utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_asks_for_metrics_that_there_are_and_says_what_to_do(rule: dict[str, Any]) -> None:
    asked = set(re.findall(r"marquee_\w+", rule["expr"]))
    assert asked
    assert asked <= exposed().keys()
    assert rule["labels"]["severity"] in ("warning", "page")
    assert {"summary", "remedy", "runbook_url"} == set(rule["annotations"])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_has_a_section_of_the_runbook_and_points_to_it(rule: dict[str, Any]) -> None:
    name = rule["alert"]
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    [section] = re.findall(rf"^## {name}\n(.*?)(?=^## )", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert "**Healed**" in section or f"](#{name.lower().replace('very', '')})" in section


def test_the_runbook_has_no_section_of_an_alert_that_there_is_not() -> None:
    assert set(re.findall(r"^## (Marquee\w+)$", RUNBOOK, re.MULTILINE)) == {rule["alert"] for rule in RULES}


def test_the_runbook_asks_for_metrics_that_there_are() -> None:
    """A histogram is asked for by its buckets."""
    named = set(re.findall(r"marquee_[a-z_]+[a-z]", RUNBOOK))
    assert {name.removesuffix("_bucket") for name in named} <= exposed().keys()


@pytest.mark.parametrize(
    ("what", "hours"), [("trained", 8), ("trained", 12), ("features_newest", 8), ("features_newest", 12)]
)
def test_models_and_features_are_watched_at_both_ages(what: str, hours: int) -> None:
    pattern = rf"time\(\) - min\(marquee_\w*{what}_timestamp_seconds\) > {hours} \* 3600"
    assert any(re.fullmatch(pattern, rule["expr"]) for rule in RULES)

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from feature_repo.definitions import VIEWS
from feature_repo.schema import USER_SESSION
from feature_repo.settings import REPOSITORY_ROOT
from tests.conftest import TrainedService
from tests.operations.exporters import exposed

RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((REPOSITORY_ROOT / "operations" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_asks_for_metrics_that_there_are_and_says_what_to_do(
    rule: dict[str, Any], tmp_path: Path
) -> None:
    asked = set(re.findall(r"marquee_\w+", rule["expr"]))
    assert asked
    assert asked <= exposed(tmp_path).keys()
    assert rule["labels"]["severity"] in ("warning", "page")
    assert {"summary", "remedy", "runbook_url"} == set(rule["annotations"])


@pytest.mark.parametrize(
    ("what", "hours"), [("trained", 8), ("trained", 12), ("features_newest", 8), ("features_newest", 12)]
)
def test_models_and_features_are_watched_at_both_ages(what: str, hours: int) -> None:
    pattern = rf"time\(\) - min\(marquee_\w*{what}_timestamp_seconds\) > {hours} \* 3600"
    assert any(re.fullmatch(pattern, rule["expr"]) for rule in RULES)


@pytest.mark.parametrize(("hours", "severity"), [(8, "warning"), (12, "page")])
def test_every_feature_view_is_watched_at_both_ages(hours: int, severity: str) -> None:
    asked = "time() - max by (view) (marquee_feature_view_newest_timestamp_seconds)"
    [rule] = [rule for rule in RULES if rule["expr"] == f"{asked} > {hours} * 3600"]
    assert rule["labels"]["severity"] == severity


def test_after_a_training_every_view_that_pages_read_says_of_when_it_is(
    trained_service: TrainedService,
) -> None:
    online = {view.name for view in VIEWS if view.online}
    newest = trained_service.gateway.newest_rows()
    assert newest.keys() == online
    assert len(online) == 11
    # A session's row is as old as the last event of its member.
    assert newest.pop(USER_SESSION.name) >= trained_service.end - timedelta(hours=1)
    assert min(newest.values()) >= trained_service.end

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from feature_repo.settings import REPOSITORY_ROOT
from tests.operations.exporters import exposed

DASHBOARD: dict[str, Any] = json.loads((REPOSITORY_ROOT / "operations" / "grafana.json").read_text())
ROWS = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]


@pytest.fixture
def exported(tmp_path: Path) -> dict[str, str]:
    return exposed(tmp_path)


def series(exported: dict[str, str]) -> set[str]:
    """Return the names of all series: of a histogram the buckets, the sum and the count."""
    found = set()
    for name, kind in exported.items():
        parts = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        found |= {name + part for part in parts}
    return found


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_a_panel_asks_for_series_that_there_are_and_says_what_it_shows(
    panel: dict[str, Any], exported: dict[str, str]
) -> None:
    for target in panel["targets"]:
        asked = set(re.findall(r"marquee_\w+", target["expr"]))
        assert asked
        assert asked <= series(exported)
        assert target["expr"].count("(") == target["expr"].count(")")
        assert target["legendFormat"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_every_metric_that_is_exported_is_on_the_dashboard(exported: dict[str, str]) -> None:
    """A gauge's time of creation is no metric of ours."""
    shown = {name for expression in EXPRESSIONS for name in re.findall(r"marquee_\w+", expression)}
    metrics = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    assert {name for name in exported if not name.endswith("_created")} - metrics == set()


def test_the_rows_are_in_order_and_no_panel_lies_on_another() -> None:
    assert ROWS == [
        "Pages", "Stages", "Fallbacks", "Freshness", "Stream", "Experiments and impressions", "Bundles",
        "Retrain",
    ]  # fmt: skip
    identifiers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(identifiers) == len(set(identifiers))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        across, down = range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])
        cells = {(x, y) for x in across for y in down}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells


def test_the_data_source_is_chosen_when_the_dashboard_is_opened() -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )

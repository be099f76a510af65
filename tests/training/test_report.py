from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training import report as module
from training.bundle import BundleError
from training.calibration import CalibrationCurve
from training.evaluation.results import MetricRow
from training.position_bias import PositionBias
from training.report import StepTiming, TrainingReport, render_html, write_report

VERSION = "20260102T030405Z-0a1b2c3d"
BARE = TrainingReport(
    version=VERSION,
    created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    data_window=(datetime(2025, 12, 5, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
    dataset="Simulated service",
    sizes={"events": 1_012_331},
)
FULL = replace(
    BARE,
    steps=[StepTiming("backfill", 35.42, 1822.0), StepTiming("als", 22.08)],
    evaluation=[
        MetricRow("popularity", "all", "recall", 20, 0.0527, users=3812),
        MetricRow("mix_ranker", "all", "recall", 20, 0.1789, users=3812, low=0.17, high=0.19),
        MetricRow("mix_ranker", "new_members", "recall", 20, 0.0876, users=412),
        MetricRow("two_tower", "all", "candidate_recall", 500, 0.5114, users=3812),
    ],
    baselines=["popularity"],
    importance={"als_score": 0.625, "play_rate": 0.375},
    calibration=CalibrationCurve((0.1, 0.6), (0.2, 0.5), (4, 4)),
    truth={"popularity": 0.05, "mix_ranker": 0.15, "oracle": 0.2},
    position_bias=PositionBias(
        [MetricRow("places_told", "all", "true_plays", 10, 0.2618, users=300, low=0.26, high=0.27)],
        [[1.0, 0.9], [0.5, 0.45]],
        [[1.0, 0.93], [0.85, 0.79]],
    ),
    training_curves={"logloss, validation": [0.7, 0.6]},
)


class _Page(HTMLParser):
    """Gathers tags and visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += " " + " ".join(data.split())


@pytest.fixture(scope="module")
def page() -> _Page:
    return _Page(render_html(FULL))


@pytest.mark.parametrize(
    "shown",
    [
        VERSION, "Simulated service", "1,012,331", "2025-12-05 00:00 UTC", "2026-01-02 03:04 UTC",
        "Mix + ranker", "0.1789", "0.0527", "0.0876", "0.5114", "3,812 members", "412 members", "als_score",
        "62.5%", "Backfill", "35.4", "1,822", "22.1", "57.5", "0.1500", "75%", "baseline",
        "Places told", "0.2618 (0.2600 to 0.2700)",
        "Expected calibration error 0.1000", "What this does not say", "offline metrics on logged data",
    ],
)  # fmt: skip
def test_the_page_shows_the_numbers_given(page: _Page, shown: str) -> None:
    assert shown in page.text


def test_the_table_of_models_comes_before_every_plot(page: _Page) -> None:
    names = [tag for tag, _ in page.tags]
    assert names.index("table") < names.index("svg")


def test_the_best_value_is_marked_and_its_interval_told(page: _Page) -> None:
    best = [attributes for tag, attributes in page.tags if attributes.get("class") == "best"]
    assert best[0]["title"] == "95 % interval: 0.1700 to 0.1900"
    assert len(best) == 3  # one in each table


def test_every_plot_is_on_the_page(page: _Page) -> None:
    # metrics, segments, candidates, truth, places, importance, calibration, training, steps
    assert sum(tag == "svg" for tag, _ in page.tags) == 9


def test_the_page_needs_no_other_file(page: _Page) -> None:
    assert not [tag for tag, _ in page.tags if tag in {"script", "img", "link", "iframe"}]
    targets = {a[key] for _, a in page.tags for key in ("href", "src") if key in a}
    assert targets == {"metrics.json"}


def test_the_page_follows_the_readers_light_or_dark(page: _Page) -> None:
    assert "prefers-color-scheme: dark" in page.text


def test_what_is_absent_is_left_out() -> None:
    page = _Page(render_html(BARE))
    assert not [tag for tag, _ in page.tags if tag in {"svg", "table"}]
    assert "oracle" not in page.text
    assert "What this does not say" in page.text


@pytest.mark.parametrize("field", ["dataset", "size", "model", "step", "feature", "policy"])
def test_markup_in_any_name_is_escaped(field: str) -> None:
    evil = "<script>alert(1)</script>"
    changes: dict[str, Any] = {
        "dataset": {"dataset": evil},
        "size": {"sizes": {evil: 1}},
        "model": {"evaluation": [MetricRow(evil, "all", "recall", 20, 0.1, users=1)]},
        "step": {"steps": [StepTiming(evil, 1.0)]},
        "feature": {"importance": {evil: 1.0}},
        "policy": {"truth": {evil: 0.1}},
    }
    html = render_html(replace(BARE, **changes[field]))
    assert "<script" not in html.lower()
    assert "&lt;script&gt;" in html.lower()


def test_both_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    place = write_report(tmp_path / "reports", FULL)
    assert place == tmp_path / "reports" / VERSION
    assert sorted(p.name for p in place.iterdir()) == ["index.html", "metrics.json"]
    assert [p.name for p in (tmp_path / "reports").iterdir()] == [VERSION]
    assert (place / "index.html").read_text(encoding="utf-8") == render_html(FULL)


def test_the_json_holds_the_same_numbers(tmp_path: Path) -> None:
    read = json.loads((write_report(tmp_path, FULL) / "metrics.json").read_text())
    assert read["version"] == VERSION
    assert read["data_window"] == {"start": "2025-12-05T00:00:00+00:00", "end": "2026-01-02T00:00:00+00:00"}
    assert read["evaluation"][1]["value"] == 0.1789
    assert read["evaluation"][1]["model"] == "mix_ranker"
    assert read["steps"][0] == {"name": "backfill", "seconds": 35.42, "peak_mib": 1822.0}
    assert read["truth"]["oracle"] == 0.2
    assert read["calibration"]["rows"] == [4, 4]
    assert read["importance"] == {"als_score": 0.625, "play_rate": 0.375}


def test_a_later_report_of_the_same_version_replaces_the_first(tmp_path: Path) -> None:
    write_report(tmp_path, FULL)
    place = write_report(tmp_path, replace(FULL, dataset="MovieLens"))
    assert "MovieLens" in (place / "index.html").read_text()
    assert json.loads((place / "metrics.json").read_text())["dataset"] == "MovieLens"


def test_numpy_numbers_are_numbers(tmp_path: Path) -> None:
    place = write_report(
        tmp_path, replace(BARE, truth={"als": np.float32(0.5)}, sizes={"events": np.int64(7)})
    )
    read = json.loads((place / "metrics.json").read_text())
    assert (read["truth"]["als"], read["sizes"]["events"]) == (0.5, 7)


def test_a_number_that_is_not_finite_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not finite"):
        write_report(tmp_path, replace(BARE, truth={"als": float("nan")}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", ["../elsewhere", "", "latest"])
def test_only_a_version_names_a_folder(tmp_path: Path, version: str) -> None:
    with pytest.raises(BundleError, match="version"):
        write_report(tmp_path, replace(BARE, version=version))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_report_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = write_report(tmp_path, FULL)
    before = (place / "metrics.json").read_text()

    def interrupt(_: TrainingReport) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "render_html", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_report(tmp_path, replace(FULL, dataset="Another"))
    assert (place / "metrics.json").read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == [VERSION]

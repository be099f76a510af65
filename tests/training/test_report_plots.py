from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest

from training import report_plots as plots
from training.calibration import CalibrationCurve
from training.evaluation.results import MetricRow

ROWS = [
    MetricRow(model, segment, "recall", k, value, users=3)
    for segment, share in (("all", 1.0), ("new_members", 0.5))
    for model, value in (("popularity", 0.1 * share), ("als", 0.3 * share))
    for k in (10, 20)
]
CANDIDATES = [
    MetricRow(generator, segment, "candidate_recall", k, k / 1000, users=3)
    for segment in ("all", "new_titles")
    for generator in ("random", "als", "two_tower", "similar", "trending", "popularity", "mix")
    for k in (100, 500)
]
PAGES = [
    MetricRow(setting, "all", metric, None, value, users=3)
    for setting, values in {
        "default": (0.5, 0.1, 5.0), "MMR 0.1": (0.6, 0.09, 4.5), "MMR 0.2": (0.7, 0.08, 4.0),
        "rows apart": (0.9, 0.01, 1.0),
    }.items()
    for metric, value in zip(
        ("page_diversity", "page_ndcg", "page_expected_plays"), values, strict=True
    )
]  # fmt: skip
DRAWINGS = {
    "metrics": lambda: plots.metric_bars(ROWS, ["popularity"]),
    "segments": lambda: plots.segment_bars(ROWS, ["popularity"]),
    "candidates": lambda: plots.candidate_curves(CANDIDATES),
    "pages": lambda: plots.variety_curves(PAGES),
    "truth": lambda: plots.truth_bars({"als": 0.1, "oracle": 0.2}, []),
    "places": lambda: plots.examination_curves([[1.0, 0.9], [0.5, 0.4]], [[1.0, 0.93]]),
    "importance": lambda: plots.importance_bars({"als_score": 0.75, "play_rate": 0.25}),
    "steps": lambda: plots.step_bars({"backfill": 3.0, "als": 21.5}),
    "calibration": lambda: plots.calibration_plot(CalibrationCurve((0.1, 0.6), (0.2, 0.5), (4, 4))),
    "training": lambda: plots.training_plot(
        {"logloss, training": [0.6, 0.5], "logloss, validation": [0.7, 0.6]}
    ),
}


def _texts(svg: str) -> set[str]:
    return {"".join(node.itertext()) for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}


@pytest.mark.parametrize("name", sorted(DRAWINGS))
def test_a_drawing_is_well_formed_and_takes_its_colours_from_the_page(name: str) -> None:
    svg = DRAWINGS[name]()
    assert ET.fromstring(svg).tag.endswith("svg")
    assert "var(--series-1)" in svg
    assert not re.search(r"#[0-9a-f]{6}\b(?![\"')])", re.sub(r"url\(#[^)]*\)|href=\"#[^\"]*\"", "", svg))


@pytest.mark.parametrize("name", sorted(DRAWINGS))
def test_the_same_numbers_give_the_same_drawing(name: str) -> None:
    assert DRAWINGS[name]() == DRAWINGS[name]()


def test_drawing_leaves_the_library_settings_alone() -> None:
    before = dict(mpl.rcParams)
    for draw in DRAWINGS.values():
        draw()
    assert dict(mpl.rcParams) == before


def test_bars_carry_their_model_and_value() -> None:
    assert {"Popularity", "ALS", "Recall@20", "0.1", "0.3"} <= _texts(DRAWINGS["metrics"]())


def test_baselines_are_drawn_in_their_own_colour() -> None:
    assert "var(--baseline)" in DRAWINGS["metrics"]()
    assert "var(--baseline)" not in plots.metric_bars(ROWS, [])


def test_segments_stand_beside_each_other() -> None:
    assert {"All members", "New members", "0.15"} <= _texts(DRAWINGS["segments"]())


def test_one_segment_needs_no_comparison() -> None:
    assert plots.segment_bars([row for row in ROWS if row.segment == "all"], []) == ""


def test_what_generators_find_is_a_curve_per_generator_and_a_panel_per_segment() -> None:
    texts = _texts(DRAWINGS["candidates"]())
    assert {"All members", "New titles", "candidates", "Candidate mix", "Two-tower", "Random"} <= texts
    assert plots.candidate_curves(ROWS) == ""


def test_candidate_recall_is_no_bar_among_the_metrics_of_models() -> None:
    assert plots.metric_bars([*ROWS, *CANDIDATES], ["popularity"]) == DRAWINGS["metrics"]()


def test_what_variety_costs_is_a_curve_per_kind_with_its_weights_and_a_panel_per_goal() -> None:
    texts = _texts(DRAWINGS["pages"]())
    assert {"Page NDCG", "Expected plays", "Default", "MMR", "0.1", "0.2"} <= texts
    assert "Rows apart" not in texts
    without_truth = [row for row in PAGES if row.metric != "page_expected_plays"]
    assert "Expected plays" not in _texts(plots.variety_curves(without_truth))
    assert plots.variety_curves([]) == ""


def test_without_a_row_for_all_members_there_is_no_metric_plot() -> None:
    assert plots.metric_bars([row for row in ROWS if row.segment != "all"], []) == ""


def test_only_the_most_important_features_are_drawn_under_their_own_names() -> None:
    texts = _texts(plots.importance_bars({f"feature_{rank}": 1 / (rank + 1) for rank in range(30)}))
    assert {"feature_0", "feature_19", "100.0%"} <= texts
    assert "feature_20" not in texts


def test_curves_of_one_metric_share_a_panel() -> None:
    assert {"logloss", "training", "validation", "iteration"} <= _texts(DRAWINGS["training"]())


def test_zero_everywhere_can_be_drawn() -> None:
    assert "0" in _texts(plots.step_bars({"als": 0.0}))


def test_markup_in_a_name_stays_text() -> None:
    assert "<b>&" in _texts(plots.importance_bars({"<b>&": 1.0}))


def test_a_dollar_in_a_name_is_no_formula() -> None:
    assert "a$b$c_d" in _texts(plots.importance_bars({"a$b$c_d": 1.0}))

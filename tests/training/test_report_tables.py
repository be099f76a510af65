from __future__ import annotations

import pytest

from training.evaluation.results import MetricRow
from training.report_tables import (
    candidate_table,
    metric_columns,
    metric_name,
    model_table,
    page_table,
    truth_table,
    words,
)


def _row(model: str, metric: str, k: int | None, value: float, segment: str = "all") -> MetricRow:
    return MetricRow(model, segment, metric, k, value, users=10)


ROWS = [
    _row("popularity", "recall", 10, 0.1),
    _row("popularity", "coverage", 10, 0.02),
    _row("popularity", "coverage", 20, 0.03),
    _row("als", "recall", 10, 0.2),
    _row("als", "coverage", 20, 0.4),
    _row("als", "recall", 20, 0.3, segment="new_members"),
]


def test_models_are_rows_in_the_order_they_came_in_and_baselines_are_marked() -> None:
    table = model_table(ROWS, ["popularity"])[0]
    assert [(row.model, row.baseline) for row in table.rows] == [("popularity", True), ("als", False)]


def test_all_members_come_before_the_segments() -> None:
    tables = model_table([*ROWS[::-1]], [])
    assert [(table.segment, table.users) for table in tables] == [("all", 10), ("new_members", 10)]


def test_accuracy_stands_at_every_cutoff_and_the_rest_at_the_largest() -> None:
    rows = [_row("als", metric, k, 0.5) for metric in ("coverage", "ndcg", "recall") for k in (20, 10)]
    columns = model_table([*rows, _row("als", "mrr", None, 0.5)], [])[0].columns
    assert columns == ("Recall@10", "Recall@20", "NDCG@10", "NDCG@20", "MRR", "Coverage@20")


def test_what_generators_find_is_a_table_of_its_own_at_every_cutoff() -> None:
    rows = [
        *ROWS,
        *(
            _row("mix", "candidate_recall", k, k / 1000, segment)
            for segment in ("new", "all")
            for k in (500, 100)
        ),
    ]
    tables = candidate_table(rows)
    assert [table.segment for table in tables] == ["all", "new"]
    assert tables[0].columns == ("Recall@100", "Recall@500")
    assert [row.model for row in tables[0].rows] == ["mix"]
    assert model_table(rows, []) == model_table(ROWS, [])


def test_the_best_of_each_column_is_marked() -> None:
    popularity, als = model_table(ROWS, [])[0].rows
    assert [cell and (cell.text, cell.best) for cell in popularity.cells] == [
        ("0.1000", False),
        ("0.0300", False),
    ]
    assert [cell and (cell.text, cell.best) for cell in als.cells] == [("0.2000", True), ("0.4000", True)]


def test_values_that_read_the_same_are_both_best() -> None:
    rows = [_row("a", "mrr", None, 0.12341), _row("b", "mrr", None, 0.12339), _row("c", "mrr", None, 0.1233)]
    marks = [row.cells[0] and row.cells[0].best for row in model_table(rows, [])[0].rows]
    assert marks == [True, True, False]


def test_nothing_is_best_in_a_column_where_nobody_found_anything() -> None:
    (table,) = model_table([_row("popularity", "recall", 10, 0.0), _row("als", "recall", 10, 0.0)], ())
    assert [cell.best for row in table.rows for cell in row.cells if cell] == [False, False]


def test_what_was_not_measured_is_left_open() -> None:
    table = model_table([*ROWS, _row("ease", "recall", 10, 0.15)], [])[0]
    assert table.rows[-1].cells[1] is None


def test_a_column_beyond_one_is_shown_with_two_decimals_throughout() -> None:
    rows = [_row("a", "novelty", 20, 0.71678), _row("b", "novelty", 20, 11.305)]
    assert [row.cells[0] and row.cells[0].text for row in model_table(rows, [])[0].rows] == ["0.72", "11.30"]


def test_an_interval_is_told_where_it_is_known() -> None:
    rows = [MetricRow("als", "all", "mrr", None, 0.2, users=5, low=0.15, high=0.25)]
    cell = model_table(rows, [])[0].rows[0].cells[0]
    assert cell is not None
    assert cell.interval == "0.1500 to 0.2500"


def test_nothing_measured_is_no_table() -> None:
    assert model_table([], []) == ()


def test_whole_pages_are_a_table_of_their_own_in_which_fewer_duplicates_are_not_worse() -> None:
    rows = [
        MetricRow(setting, "all", metric, None, value, users=3)
        for setting, values in (("default", (0.2, 0.0)), ("rows apart", (0.1, 0.3)))
        for metric, value in zip(("page_ndcg", "page_duplicates"), values, strict=True)
    ]
    table = page_table(rows)
    assert table is not None
    assert set(table.columns) == {"Page NDCG", "Duplicates"}
    best = {(row.model, column): cell.best for row in table.rows
            for column, cell in zip(table.columns, row.cells, strict=True) if cell}  # fmt: skip
    assert best == {
        ("default", "Page NDCG"): True, ("rows apart", "Page NDCG"): False,
        ("default", "Duplicates"): False, ("rows apart", "Duplicates"): False,
    }  # fmt: skip
    assert page_table([]) is None


def test_the_truth_is_told_as_a_share_of_the_oracle() -> None:
    assert truth_table({"popularity": 0.05, "oracle": 0.2}) == (
        ("Popularity", "0.0500", "25%"),
        ("Oracle", "0.2000", "100%"),
    )
    assert truth_table({"als": 0.1}) == (("ALS", "0.1000", ""),)


def test_unknown_metrics_follow_the_known_ones() -> None:
    rows = [_row("a", metric, k, 0) for metric, k in (("zeal", 5), ("awe", 5), ("mrr", None), ("recall", 5))]
    assert [metric for metric, _ in metric_columns(rows)] == ["recall", "mrr", "awe", "zeal"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("item_knn", "Item-kNN"),
        ("mix_ranker", "Mix + ranker"),
        ("new_members", "New members"),
        ("ALS v2", "ALS v2"),
    ],
)
def test_names_are_written_for_people(name: str, shown: str) -> None:
    assert words(name) == shown


def test_a_metric_of_the_whole_ranking_has_no_cutoff() -> None:
    assert (metric_name("ndcg", 20), metric_name("mrr", None)) == ("NDCG@20", "MRR")

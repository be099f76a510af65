from __future__ import annotations

import numpy as np

from serving.candidates.charts import Charts

CHARTS = Charts.rank(np.array(["", "KR"]), np.array([[1, 3, 2, 0], [5, 0, 0, 5]], dtype=np.float32))
ALL = np.ones(4, dtype=np.bool_)


def test_each_country_has_its_own_order_and_ties_follow_the_chart_of_all() -> None:
    assert CHARTS.top("", ALL, 4, minimum=-1).rows.tolist() == [1, 2, 0, 3]
    assert CHARTS.top("KR", ALL, 4, minimum=-1).rows.tolist() == [0, 3, 1, 2]


def test_titles_without_a_score_are_left_out() -> None:
    top = CHARTS.top("KR", ALL, 4)
    assert top.rows.tolist() == [0, 3]
    assert top.scores.tolist() == [5, 5]


def test_a_country_without_a_chart_gets_the_chart_of_all() -> None:
    assert CHARTS.top("ZZ", ALL, 2).rows.tolist() == [1, 2]


def test_titles_that_may_not_be_shown_make_room_for_the_next() -> None:
    assert CHARTS.top("", np.array([True, False, True, True]), 2).rows.tolist() == [2, 0]

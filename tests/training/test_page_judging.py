from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from feature_repo import schema as s
from training.candidates import Generators
from training.page_judging import APART, DEFAULT, SETTINGS, PageJudge


class ByRow:
    """Likes titles with low rows."""

    def candidate_scores(self, user: int, candidates: NDArray[np.intp]) -> NDArray[np.float32]:  # noqa: ARG002
        return (1.0 - 0.1 * candidates).astype(np.float32)


@pytest.fixture
def judge(generators: Generators) -> PageJudge:
    """Ann goes on to watch t2, Bob t4; all titles are of one genre."""
    relevant = csr_matrix((np.ones(2, bool), ([0, 1], [2, 4])), shape=(3, 6))
    cases = replace(generators.cases, relevant=relevant, user_rows=np.array([0, 1]))
    genres = np.zeros((6, len(s.GENRES)), dtype=np.float32)
    genres[:, 3] = 1.0
    return PageJudge.of(
        replace(generators, cases=cases), ByRow(),
        {s.GENRE_PREFERENCE: genres[:3]},
        {s.GENRE_VECTOR: genres, s.ORIGINAL_LANGUAGE: np.array(["en"] * 6)},
        np.array(["f1", "", "f1", "", "", ""]),
    )  # fmt: skip


def values_of(judge: PageJudge, setting: str, with_truth: bool = True) -> dict[str, float]:
    def truth(user: int) -> NDArray[np.float64]:
        return np.full(6, 0.5) if user == 0 else np.zeros(6)

    rows = judge.judge(truth if with_truth else None, 0, 0)
    return {row.metric: row.value for row in rows if row.model == setting}


def test_every_setting_is_judged_on_every_member(judge: PageJudge) -> None:
    rows = judge.judge(None, 10, 0)
    assert {row.model for row in rows} == {*SETTINGS, APART}
    assert {row.users for row in rows} == {2}
    assert all(
        row.low is not None and row.high is not None and row.low <= row.value <= row.high
        for row in rows if row.metric == "page_ndcg"
    )  # fmt: skip


def test_pages_hold_what_was_not_watched_in_the_rankers_order(judge: PageJudge) -> None:
    """Ann has watched t0, Bob t1 and t5: one row each, [t1 .. t5] and [t0, t2, t3, t4] (t0, t2: a franchise).

    Bob's first five tiles are not filled without t2, so that it comes in last, where its rule gives way.
    """
    values = values_of(judge, DEFAULT)
    assert values["page_tiles"] == pytest.approx((5 + 4) / 2)
    assert values["page_duplicates"] == 0.0
    assert values["page_genre_entropy"] == 0.0
    assert values["page_coverage"] == 1.0
    first, decay = 0.95, 0.93
    assert values["page_ndcg"] == pytest.approx((decay**1 + decay**2) / 2)
    assert values["page_expected_plays"] == pytest.approx(first * 0.5 * sum(decay**i for i in range(5)) / 2)


def test_rows_that_are_filled_apart_repeat_titles(judge: PageJudge) -> None:
    assert values_of(judge, APART)["page_duplicates"] > 0.0


def test_without_truth_there_are_no_expected_plays(judge: PageJudge) -> None:
    assert "page_expected_plays" not in values_of(judge, DEFAULT, with_truth=False)

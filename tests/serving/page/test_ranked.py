from __future__ import annotations

from typing import Any

import numpy as np

from feature_repo.transforms.candidate_mix import Merged
from serving.candidates.query import PageRequest
from serving.homepage import query_of
from serving.members import unknown_member
from serving.page.ranked import by_popularity, by_ranker, by_retrieval

MERGED = Merged(np.array([7, 3, 9]), np.array([0.9, 0.5, 0.1], np.float32), {})


def test_the_ranker_decides_and_ties_keep_the_order_of_retrieval() -> None:
    ranked = by_ranker(MERGED, np.array([0.2, 0.8, 0.2], np.float32))
    assert ranked.rows.tolist() == [3, 7, 9]
    assert ranked.scores is not None
    np.testing.assert_array_equal(ranked.scores, np.array([0.8, 0.2, 0.2], np.float32))


def test_without_a_ranker_retrieval_decides_and_there_are_no_scores() -> None:
    ranked = by_retrieval(MERGED)
    assert ranked.rows.tolist() == [7, 3, 9]
    assert ranked.scores is None
    assert ranked.relevance.tolist() == MERGED.scores.tolist()


def test_popularity_is_that_of_the_country(small: Any) -> None:
    def order(country: str) -> list[int]:
        request = PageRequest("stranger", "tv", small.time[0], country)
        query = query_of(small.service.state, request, unknown_member("stranger"))
        rows: list[int] = by_popularity(query, MERGED).rows.tolist()
        return rows

    assert order("FR") == [3, 7, 9]  # no chart of its own: that of all countries, where it falls
    assert order("KR") == [9, 7, 3]  # it rises

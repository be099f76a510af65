from __future__ import annotations

import numpy as np
import pytest

from serving.candidates.answer import Candidates
from serving.candidates.merge import merge


def answer(*rows: int, scale: float = 1.0) -> Candidates:
    scores = scale * np.arange(len(rows), 0, -1, dtype=np.float32)
    return Candidates(np.array(rows, dtype=np.intp), scores)


def test_a_title_found_twice_stands_once_with_both_sources_and_above_the_others() -> None:
    merged = merge([("als", answer(4, 2)), ("trending", answer(7, 2))], titles=10)
    assert merged.rows.tolist() == [2, 4, 7]
    assert merged.sources == {2: ("als", "trending"), 4: ("als",), 7: ("trending",)}


def test_scores_are_reciprocal_ranks_over_the_best_possible() -> None:
    merged = merge([("als", answer(4, 2)), ("trending", answer(7, 2))], titles=10)
    assert merged.scores == pytest.approx([61 / 62, 0.5, 0.5])


def test_the_scale_of_a_generators_scores_does_not_matter() -> None:
    small = merge([("als", answer(1, 2)), ("trending", answer(3, 1))], titles=5)
    large = merge([("als", answer(1, 2)), ("trending", answer(3, 1, scale=1e6))], titles=5)
    np.testing.assert_array_equal(small.rows, large.rows)
    np.testing.assert_array_equal(small.scores, large.scores)


def test_the_best_are_kept() -> None:
    merged = merge([("als", answer(*range(9, -1, -1)))], titles=10, limit=3)
    assert merged.rows.tolist() == [9, 8, 7]
    assert set(merged.sources) == {9, 8, 7}


def test_two_answers_of_one_generator_are_one_source() -> None:
    merged = merge([("similar", answer(1)), ("similar", answer(1))], titles=2)
    assert merged.sources == {1: ("similar",)}


def test_no_answers_merge_to_no_candidates() -> None:
    merged = merge([("als", Candidates.none())], titles=3)
    assert len(merged.rows) == 0
    assert merged.sources == {}

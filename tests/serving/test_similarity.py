from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from serving.similarity import similar_titles
from training.bundle import BundleContents

NOBODY_WATCHED = 159


def test_neighbours_are_those_of_the_largest_cosine(small: Any, contents: BundleContents) -> None:
    kind, rows, cosines = similar_titles(small.service.state, 9, 5)
    factors = contents.title_factors[:NOBODY_WATCHED].astype(np.float64)
    units = factors / np.linalg.norm(factors, axis=1, keepdims=True)
    expected = units @ units[9]
    expected[9] = -np.inf
    assert kind == "collaborative"
    assert rows.tolist() == np.argsort(-expected)[:5].tolist()
    assert cosines == pytest.approx(np.sort(expected)[::-1][:5], abs=1e-6)


def test_a_title_nobody_watched_is_like_those_that_are_about_the_same(
    small: Any, contents: BundleContents
) -> None:
    kind, rows, cosines = similar_titles(small.service.state, NOBODY_WATCHED, 5)
    expected = contents.tower_title_vectors @ contents.tower_title_vectors[NOBODY_WATCHED]
    expected[NOBODY_WATCHED] = -np.inf
    assert kind == "content"
    assert rows.tolist() == np.argsort(-expected)[:5].tolist()
    assert cosines == pytest.approx(np.sort(expected)[::-1][:5], abs=1e-6)


@pytest.mark.parametrize("row", [9, NOBODY_WATCHED])
def test_no_more_are_answered_than_asked_for(small: Any, row: int) -> None:
    assert len(similar_titles(small.service.state, row, 3)[1]) == 3

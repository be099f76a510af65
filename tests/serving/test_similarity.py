from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from feature_repo import schema as s
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


def test_a_title_nobody_watched_is_like_those_of_its_genres_the_popular_first(small: Any) -> None:
    kind, rows, cosines = similar_titles(small.service.state, NOBODY_WATCHED, 160)
    genres = small.service.state.catalogue.genres
    assert kind == "genres"
    assert NOBODY_WATCHED not in rows
    assert genres[rows][:, genres[NOBODY_WATCHED]].any(axis=1).all()
    assert (np.diff(cosines) <= 1e-6).all()
    equal = rows[np.isclose(cosines, cosines[0])]
    assert equal.tolist() == sorted(equal)  # popularity falls with the row


def test_a_title_without_watches_and_without_genres_is_like_nothing(small: Any) -> None:
    small.features.titles["t159"][s.GENRE_VECTOR] = None
    small.time[0] = small.time[0].replace(minute=10)
    small.service.keeper.check()
    kind, rows, cosines = similar_titles(small.service.state, NOBODY_WATCHED, 5)
    assert (kind, len(rows), len(cosines)) == ("genres", 0, 0)


@pytest.mark.parametrize("row", [9, NOBODY_WATCHED])
def test_no_more_are_answered_than_asked_for(small: Any, row: int) -> None:
    assert len(similar_titles(small.service.state, row, 3)[1]) == 3

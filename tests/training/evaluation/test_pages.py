from __future__ import annotations

import math

import numpy as np
import pytest

from feature_repo.page.attention import FIRST_TILE, POSITION_DECAY, ROW_DECAY
from training.evaluation.pages import (
    duplicate_share,
    expected_plays,
    genre_entropy,
    page_diversity,
    page_ndcg,
    seen_titles,
)

A, B = FIRST_TILE, FIRST_TILE * POSITION_DECAY
C, D = A * ROW_DECAY, B * ROW_DECAY
PAGE = [np.array([3, 1]), np.array([0, 2])]
"""Attention: title 3 gets A, 1 B, 0 C, 2 D; A > B > C > D."""
TWICE = [np.array([3, 1]), np.array([1, 3])]


def relevant(*titles: int) -> np.ndarray:
    mask = np.zeros(6, dtype=bool)
    mask[list(titles)] = True
    return mask


def test_a_title_is_seen_where_it_stands_first() -> None:
    titles, seen = seen_titles(TWICE)
    assert titles.tolist() == [1, 3]
    assert seen.tolist() == pytest.approx([B, A])


@pytest.mark.parametrize(
    ("hits", "expected"),
    [
        ((3,), 1.0),
        ((2,), D / A),
        ((1, 0), (B + C) / (A + B)),
        ((3, 5), A / (A + B)),  # 5 is not on the page
        ((5,), 0.0),
    ],
)
def test_a_hit_counts_as_its_place_is_seen(hits: tuple[int, ...], expected: float) -> None:
    assert page_ndcg(PAGE, relevant(*hits)) == pytest.approx(expected)


def test_with_more_relevant_titles_than_tiles_the_ideal_is_a_page_full_of_them() -> None:
    assert page_ndcg([np.array([3])], relevant(3, 4, 5)) == pytest.approx(1.0)


def test_nothing_relevant_has_no_ndcg_and_an_empty_page_finds_nothing() -> None:
    assert math.isnan(page_ndcg(PAGE, relevant()))
    assert page_ndcg([], relevant(1)) == 0.0


def test_expected_plays_add_up_what_is_seen_and_played() -> None:
    plays = np.array([0.5, 0.25, 0.0, 1.0, 1.0, 1.0])
    assert expected_plays(PAGE, plays) == pytest.approx(A * 1.0 + B * 0.25 + C * 0.5)
    assert expected_plays(TWICE, plays) == pytest.approx(A * 1.0 + B * 0.25)


def test_duplicates_are_tiles_whose_title_stands_above() -> None:
    assert duplicate_share(PAGE) == 0.0
    assert duplicate_share(TWICE) == 0.5
    assert duplicate_share([]) == 0.0


def test_the_entropy_of_genres_shares_a_titles_weight() -> None:
    genres = np.zeros((6, 4), dtype=bool)
    genres[[0, 1, 2], 0] = True
    genres[2, 1] = True  # title 2 counts half for each
    genres[3, 1] = True
    shares = np.array([2.5, 1.5]) / 4
    assert genre_entropy(PAGE, genres) == pytest.approx(-(shares * np.log2(shares)).sum())
    assert genre_entropy([np.array([0, 1])], genres) == 0.0


def test_diversity_is_one_minus_the_mean_cosine_of_pairs() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0.6, 0.8], [0, 0], [0, 0]], dtype=np.float32)
    cosines = [1, 0, 0.6, 0, 0.6, 0.8]  # of 0-1, 0-2, 0-3, 1-2, 1-3, 2-3
    assert page_diversity(PAGE, vectors) == pytest.approx(1 - np.mean(cosines))
    assert math.isnan(page_diversity([np.array([1])], vectors))

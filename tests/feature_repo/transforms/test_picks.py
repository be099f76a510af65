from __future__ import annotations

import numpy as np
import pytest

from feature_repo.transforms.confidence import Confidence
from feature_repo.transforms.fold_in import gram_matrix
from feature_repo.transforms.member_prior import FEW_TITLES, MemberPrior, member_vector
from feature_repo.transforms.picks import PICK_FRACTION, pick_weight, taste_at, taste_history

HOUR = 3_600_000_000.0


@pytest.mark.parametrize(
    ("hours", "weight"), [(np.nan, 1.0), (-5, 1.0), (0, 1.0), (18, 0.75), (71.28, 0.01), (72, 0), (900, 0)]
)
def test_a_pick_fades_from_the_first_watch_and_is_gone_after_72_hours(hours: float, weight: float) -> None:
    assert pick_weight(1e15, 1e15 - hours * HOUR) == pytest.approx(weight)


def test_each_pick_is_half_a_completed_watch_and_says_what_is_left_of_it() -> None:
    taste = taste_history(np.array([4]), np.array([0.9]), np.array([7, 2]), 0.25)
    assert taste.rows.tolist() == [4, 7, 2]
    assert taste.fractions == pytest.approx([0.9, PICK_FRACTION, 0.5])
    assert taste.weights == pytest.approx([1.0, 0.25, 0.25])


def test_a_pick_that_was_watched_counts_as_watched() -> None:
    taste = taste_history(np.array([4, 7]), np.array([0.9, 0.1]), np.array([7]), 1.0)
    assert (taste.rows.tolist(), taste.fractions.tolist()) == ([4, 7], pytest.approx([0.9, 0.1]))


@pytest.mark.parametrize(("picks", "weight"), [([7], 0.0), ([], 1.0)])
def test_without_picks_that_count_there_is_only_what_was_watched(picks: list[int], weight: float) -> None:
    taste = taste_history(np.array([4]), np.array([0.9]), np.array(picks, dtype=np.int64), weight)
    assert taste.rows.tolist() == [4]


@pytest.mark.parametrize(
    ("hours", "picked", "count", "rows"),
    [(36, [7], True, [4, 7]), (72, [7], False, [4]), (36, [], False, [4]), (36, [4], True, [4])],
    ids=["halfway", "gone", "nothing picked", "picked and watched"],
)
def test_a_taste_at_an_instant_says_whether_picks_still_count(
    hours: float, picked: list[int], count: bool, rows: list[int]
) -> None:
    now = 1e15
    picked_rows = np.array(picked, dtype=np.int64)
    taste, picks_count = taste_at(now, now - hours * HOUR, np.array([4]), np.array([0.9]), picked_rows)
    assert (picks_count, taste.rows.tolist()) == (count, rows)
    assert taste.weights.tolist() == [1.0, 0.5][: len(rows)]


@pytest.mark.parametrize("watched", [1, FEW_TITLES + 5])
def test_what_a_pick_adds_falls_from_hour_to_hour_to_nothing_and_never_below(watched: int) -> None:
    """With few titles by the prior, with many by plain fold-in."""
    rng = np.random.default_rng(4)
    titles = rng.normal(size=(40, 8)).astype(np.float32)
    prior, gram = MemberPrior.of(rng.normal(size=(60, 8)).astype(np.float32)), gram_matrix(titles)
    confidence = Confidence(alpha=10.0, regularization=1.0, minimum_fraction=0.1)

    def score_of_pick(hours: float) -> float:
        weight = pick_weight(hours * HOUR, 0.0)
        taste = taste_history(np.arange(watched), np.full(watched, 0.9), np.array([30]), weight)
        vector = member_vector(taste.rows, taste.fractions, titles, gram, confidence, prior, taste.weights)
        return float(titles[30] @ vector)

    scores = [score_of_pick(hours) for hours in np.arange(0, 73.0, 1.5)]
    assert (np.diff(scores) < 0).all()
    assert scores[-1] == pytest.approx(score_of_pick(900.0))
    # An hour and a half before its end little of it is left.
    assert scores[-2] - scores[-1] < 0.3 * (scores[0] - scores[-1])

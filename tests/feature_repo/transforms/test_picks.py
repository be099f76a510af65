from __future__ import annotations

import numpy as np
import pytest

from feature_repo.transforms.picks import PICK_FRACTION, pick_weight, taste_history

HOUR = 3_600_000_000.0


@pytest.mark.parametrize(
    ("hours", "weight"), [(np.nan, 1.0), (-5, 1.0), (0, 1.0), (18, 0.75), (71.28, 0.01), (72, 0), (900, 0)]
)
def test_a_pick_fades_from_the_first_watch_and_is_gone_after_72_hours(hours: float, weight: float) -> None:
    assert pick_weight(1e15, 1e15 - hours * HOUR) == pytest.approx(weight)


def test_each_pick_counts_half_a_completed_watch_times_what_is_left_of_it() -> None:
    rows, fractions = taste_history(np.array([4]), np.array([0.9]), np.array([7, 2]), 0.5)
    assert rows.tolist() == [4, 7, 2]
    assert fractions == pytest.approx([0.9, PICK_FRACTION / 2, 0.25])


def test_a_pick_that_was_watched_counts_as_watched() -> None:
    rows, fractions = taste_history(np.array([4, 7]), np.array([0.9, 0.1]), np.array([7]), 1.0)
    assert (rows.tolist(), fractions.tolist()) == ([4, 7], pytest.approx([0.9, 0.1]))


@pytest.mark.parametrize(("picks", "weight"), [([7], 0.0), ([], 1.0)])
def test_without_picks_that_count_there_is_only_what_was_watched(picks: list[int], weight: float) -> None:
    rows, _ = taste_history(np.array([4]), np.array([0.9]), np.array(picks, dtype=np.int64), weight)
    assert rows.tolist() == [4]

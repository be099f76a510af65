from __future__ import annotations

import numpy as np
import pytest

from feature_repo.transforms.ranking import RANKING_FEATURES
from training.reward_model import cross_fitted_rewards

QUALITY = RANKING_FEATURES.index("play_rate")


def log(members: int, per_member: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Two titles per slot, of which the first was drawn in even slots; good titles are played at 0.6."""
    rng = np.random.default_rng(seed)
    slots = members * per_member
    matrix = np.full((2 * slots, len(RANKING_FEATURES)), np.nan, np.float32)
    matrix[:, QUALITY] = rng.random(2 * slots) < 0.5
    drawn = 2 * np.arange(slots) + np.arange(slots) % 2
    played = rng.random(slots) < np.where(matrix[drawn, QUALITY] > 0, 0.6, 0.1)
    return {
        "matrix": matrix,
        "slot_of": np.arange(slots).repeat(2),
        "drawn": drawn,
        "played": played,
        "user_ids": np.arange(members).repeat(per_member).astype(str),
    }


def test_titles_that_were_not_shown_are_predicted_as_well() -> None:
    slots = log(400, 5)
    predicted = cross_fitted_rewards(**slots)
    good = slots["matrix"][:, QUALITY] > 0
    not_shown = np.setdiff1d(np.arange(len(good)), slots["drawn"])
    assert predicted[not_shown][good[not_shown]].mean() == pytest.approx(0.6, abs=0.06)
    assert predicted[not_shown][~good[not_shown]].mean() == pytest.approx(0.1, abs=0.06)


def test_what_a_members_slots_came_to_moves_no_prediction_of_their_own() -> None:
    slots = log(40, 10)
    before = cross_fitted_rewards(**slots)
    own = slots["user_ids"] == "7"
    slots["played"] = np.where(own, ~slots["played"], slots["played"])
    after = cross_fitted_rewards(**slots)
    of_own = own[slots["slot_of"]]
    np.testing.assert_array_equal(before[of_own], after[of_own])
    assert (before[~of_own] != after[~of_own]).any()


def test_where_nobody_played_anything_nothing_is_expected() -> None:
    slots = log(20, 3)
    slots["played"][:] = False
    assert not cross_fitted_rewards(**slots).any()

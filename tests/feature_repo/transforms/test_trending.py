from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from feature_repo.transforms.decay import MICROSECONDS_PER_DAY
from feature_repo.transforms.trending import PRIOR_PLAYS, with_plays_since

COUNTRIES = ("", "DK", "KR")
TITLES = 4
DAY = MICROSECONDS_PER_DAY


def charts(
    plays: list[tuple[str, int, float]], now: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Shares and weights as of ``now`` days, play by play: (country, title, day)."""
    local = {country: np.zeros(TITLES) for country in COUNTRIES}
    for country, title, day in plays:
        for place in {"", country}:
            local[place][title] += np.exp(-(now - day) / 2)
    overall = local[""] / (local[""].sum() or 1)
    shares = [overall]
    shares += [(local[c] + PRIOR_PLAYS * overall) / (local[c].sum() + PRIOR_PLAYS) for c in COUNTRIES[1:]]
    return np.array(shares, np.float32), np.array([local[c].sum() for c in COUNTRIES], np.float32)


plays_between = st.tuples(st.sampled_from(COUNTRIES), st.integers(0, TITLES - 1), st.floats(0, 3))


@given(st.lists(plays_between, min_size=1, max_size=30), st.floats(0, 3))
def test_charts_with_the_plays_since_are_those_of_a_training_of_now(
    plays: list[tuple[str, int, float]], trained_at: float
) -> None:
    before = [play for play in plays if play[2] < trained_at]
    since = [play for play in plays if play[2] >= trained_at]
    shares, weights = charts(before, trained_at)
    decayed = {country: np.zeros(TITLES) for country in COUNTRIES}
    for country, title, day in since:
        for place in {"", country}:
            decayed[place][title] += np.exp(-(3 - day) / 2)
    found = with_plays_since(shares, weights, COUNTRIES, decayed, (3 - trained_at) * DAY)
    np.testing.assert_allclose(found, charts(plays, 3)[0], atol=2e-5)


def test_without_plays_since_the_order_of_all_countries_stays() -> None:
    shares, weights = charts([("", 0, 1.0), ("", 0, 1.0), ("KR", 2, 1.0)], 1.0)
    found = with_plays_since(shares, weights, COUNTRIES, {}, DAY)
    assert found[0].tolist() == pytest.approx(shares[0].tolist())


def test_one_play_of_now_outweighs_one_of_the_training() -> None:
    shares, weights = charts([("KR", 0, 1.0)], 1.0)
    play = np.array([0.0, 1.0, 0.0, 0.0])
    found = with_plays_since(shares, weights, COUNTRIES, {"": play, "KR": play}, DAY)
    assert found.argmax(axis=1).tolist() == [1, 1, 1]

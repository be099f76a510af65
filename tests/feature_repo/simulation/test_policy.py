from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.policy import draw_pages, policy_weights, popularity_log_weights
from feature_repo.simulation.simulate import SimulatedService


def test_propensity_is_the_weight_over_what_is_left() -> None:
    weights = np.array([[1.0, 2.0, 3.0, 4.0]], dtype=np.float32)
    draws = draw_pages(weights, 4, np.random.default_rng(5))
    left = 10.0
    for title, propensity in zip(draws.titles[0], draws.propensities[0], strict=True):
        assert propensity == pytest.approx(weights[0, title] / left)
        left -= weights[0, title]


def test_first_tiles_follow_the_weights() -> None:
    weights = np.tile(np.array([1.0, 3.0, 6.0], dtype=np.float32), (4_000, 1))
    first = draw_pages(weights, 2, np.random.default_rng(5)).titles[:, 0]
    counts = np.bincount(first, minlength=3)
    for count, share in zip(counts, (0.1, 0.3, 0.6), strict=True):
        assert abs(count - 4_000 * share) < 4 * np.sqrt(4_000 * share * (1 - share))


def test_second_tiles_follow_the_weights_without_the_first() -> None:
    weights = np.tile(np.array([1.0, 3.0, 6.0], dtype=np.float32), (8_000, 1))
    titles = draw_pages(weights, 2, np.random.default_rng(6)).titles
    after_the_third = titles[titles[:, 0] == 2, 1]
    count, share = (after_the_third == 1).sum(), 3 / 4
    assert abs(count - len(after_the_third) * share) < 4 * np.sqrt(len(after_the_third) * share * (1 - share))


@given(
    st.lists(st.sampled_from([0.0, 1e-6, 1.0, 50.0]), min_size=1, max_size=12),
    st.integers(1, 8),
    st.integers(0, 2**31),
)
def test_a_page_holds_distinct_titles_of_positive_weight_and_as_many_as_there_are(
    weights: list[float], tiles: int, seed: int
) -> None:
    draws = draw_pages(np.array([weights], dtype=np.float32), tiles, np.random.default_rng(seed))
    shown = draws.titles[0][draws.titles[0] >= 0]
    assert len(set(shown.tolist())) == len(shown) == min(tiles, sum(w > 0 for w in weights))
    assert (np.array(weights)[shown] > 0).all()
    there = draws.propensities[0][: len(shown)]
    assert ((there > 0) & (there <= 1)).all()
    assert (draws.propensities[0][len(shown) :] == 0).all()


def test_the_policy_gives_every_title_a_chance_and_none_to_what_may_not_be_shown(
    service: SimulatedService, config: SimulationConfig
) -> None:
    world = service.world
    users = np.arange(config.members)
    weights = policy_weights(world, users, config, np.random.default_rng(1))
    allowed = world.may_be_shown(users[:, None], np.arange(config.titles)[None, :])
    assert ((weights > 0) == allowed).all()
    assert weights.sum(axis=1) == pytest.approx(np.ones(config.members), abs=1e-4)
    floor = config.policy_exploration_share / allowed.sum(axis=1, keepdims=True)
    assert (weights >= floor * allowed * 0.999).all()


def test_popularity_weights_fall_by_zipfs_law(service: SimulatedService, config: SimulationConfig) -> None:
    weights = np.sort(np.exp(popularity_log_weights(service.world, config)))[::-1]
    assert weights[:3] == pytest.approx([1.0, 2.0**-0.8, 3.0**-0.8])
    most_appealing = service.world.title_appeal.argmax()
    assert popularity_log_weights(service.world, config)[most_appealing] == 0.0


def test_the_policy_leans_towards_the_members_taste(
    service: SimulatedService, config: SimulationConfig
) -> None:
    world = service.world
    users = np.arange(config.members)
    weights = policy_weights(world, users, config, np.random.default_rng(1))
    taste = world.taste_start @ world.title_genres.T
    shown = weights > 0
    by_policy = (weights * taste).sum(axis=1) / weights.sum(axis=1)
    by_chance = (shown * taste).sum(axis=1) / shown.sum(axis=1)
    assert by_policy.mean() > by_chance.mean() + 0.2

from __future__ import annotations

import numpy as np

from training.bpr import BprConfig, fit_bpr
from training.interactions import InteractionMatrix

CONFIG = BprConfig(dimensions=8, iterations=60, learning_rate=0.1)
USERS = np.array([f"u{i}" for i in range(20)])
TITLES = np.array([f"t{i}" for i in range(11)])


def two_camps() -> InteractionMatrix:
    """Members 0 to 9 watch titles 0 to 4, the others 5 to 9; each misses one. Nobody watches t10."""
    pairs = [(u, t) for u in range(20) for t in range(5 * (u // 10), 5 * (u // 10) + 5) if t % 5 != u % 5]
    users, titles = (np.array(side) for side in zip(*pairs, strict=True))
    return InteractionMatrix.build(USERS[users], TITLES[titles], np.ones(len(pairs)), TITLES, USERS)


def test_a_member_prefers_the_unseen_title_of_their_camp() -> None:
    factors = fit_bpr(two_camps(), CONFIG)
    scores = factors.user_factors @ factors.title_factors.T
    own = [scores[u, 5 * (u // 10) + u % 5] for u in range(20)]
    other = [scores[u, 5 * (1 - u // 10) : 5 * (1 - u // 10) + 5].max() for u in range(20)]
    assert np.mean(np.array(own) > np.array(other)) >= 0.9


def test_vectors_have_the_given_length_with_the_bias_and_zero_rows_for_the_unwatched() -> None:
    factors = fit_bpr(two_camps(), CONFIG)
    assert factors.user_factors.shape == (20, 8)
    assert factors.title_factors.shape == (11, 8)
    assert not factors.title_factors[10].any()
    assert factors.confidence is None


def test_the_seed_decides() -> None:
    first, again = fit_bpr(two_camps(), CONFIG), fit_bpr(two_camps(), CONFIG)
    other = fit_bpr(two_camps(), CONFIG.model_copy(update={"seed": 1}))
    np.testing.assert_array_equal(first.title_factors, again.title_factors)
    assert not np.array_equal(first.title_factors, other.title_factors)


def test_a_warm_start_begins_where_the_last_fit_ended() -> None:
    trained = fit_bpr(two_camps(), CONFIG)
    still = CONFIG.model_copy(update={"iterations": 1, "learning_rate": 1e-9})
    warm = fit_bpr(two_camps(), still, warm_start=trained)
    np.testing.assert_allclose(warm.title_factors[:10], trained.title_factors[:10], atol=1e-5)


def test_what_was_left_at_once_is_no_positive() -> None:
    left = [(f"u{u}", "t10") for u in range(20)]
    camps = two_camps().fractions.tocoo()
    users = np.concatenate([USERS[camps.row], [u for u, _ in left]])
    titles = np.concatenate([TITLES[camps.col], [t for _, t in left]])
    fractions = np.concatenate([camps.data, np.full(20, 0.05)])
    factors = fit_bpr(InteractionMatrix.build(users, titles, fractions, TITLES, USERS), CONFIG)
    assert not factors.title_factors[10].any()

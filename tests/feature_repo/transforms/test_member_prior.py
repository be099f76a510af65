from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.sparse import csr_matrix

from feature_repo.transforms.confidence import Confidence
from feature_repo.transforms.fold_in import fold_in, gram_matrix
from feature_repo.transforms.member_prior import (
    FEW_TITLES,
    PRIOR_STRENGTH,
    UNWATCHED_WEIGHT,
    MemberPrior,
    member_vector,
    with_prior,
)

SETTINGS = Confidence(alpha=8.0, regularization=0.7, minimum_fraction=0.2)


def random_factors(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(30, 4)).astype(np.float32), rng.normal(1.0, 2.0, (50, 4)).astype(np.float32)


def test_the_prior_is_the_mean_and_inverse_covariance_of_who_has_a_vector() -> None:
    users = np.array([[2.0, 0.0], [0.0, 0.0], [0.0, 4.0], [4.0, 2.0]], dtype=np.float32)
    prior = MemberPrior.of(users)
    np.testing.assert_allclose(prior.mean, [2.0, 2.0])
    # Covariances of (2, 0), (0, 4), (4, 2): 4, 4 and -2; the inverse of [[4, -2], [-2, 4]].
    np.testing.assert_allclose(prior.precision, np.array([[4, 2], [2, 4]]) / 12, atol=1e-4)


@pytest.mark.parametrize("members", [0, 1, 2])
def test_a_few_members_make_a_prior_too(members: int) -> None:
    prior = MemberPrior.of(np.ones((members, 3), dtype=np.float32))
    assert np.isfinite(prior.precision).all()
    assert prior.mean.tolist() == [float(members > 0)] * 3


@given(st.integers(0, 2**31), st.integers(0, FEW_TITLES))
def test_with_few_titles_it_is_the_most_probable_vector(seed: int, observed: int) -> None:
    """The minimum of what is wrong with the titles plus what is unlike the members: no step lowers it."""
    titles, users = random_factors(seed)
    rng = np.random.default_rng(seed)
    rows, fractions = rng.permutation(30)[:observed], rng.random(observed)
    prior = MemberPrior.of(users)
    weight, wanted = np.full(30, UNWATCHED_WEIGHT), np.zeros(30)
    weight[rows] = 1 + SETTINGS.alpha * fractions
    wanted[rows] = fractions >= SETTINGS.minimum_fraction

    def cost(vector: np.ndarray) -> float:
        unlike = vector - prior.mean
        errors = wanted - titles.astype(np.float64) @ vector
        return float(weight @ errors**2 + PRIOR_STRENGTH * unlike @ prior.precision @ unlike)

    found = member_vector(rows, fractions, titles, gram_matrix(titles), SETTINGS, prior).astype(np.float64)
    best = cost(found)
    for step in 0.05 * np.vstack([np.eye(4), -np.eye(4)]):
        assert cost(found + step) > best


def test_where_titles_say_nothing_a_member_is_what_members_are_like() -> None:
    _, users = random_factors(1)
    nothing, titles = np.empty(0, dtype=np.int64), np.zeros((30, 4), dtype=np.float32)
    prior = MemberPrior.of(users)
    found = member_vector(nothing, np.empty(0), titles, gram_matrix(titles), SETTINGS, prior)
    np.testing.assert_allclose(found, users.mean(axis=0), rtol=1e-4)


def test_from_many_titles_on_it_is_plain_fold_in() -> None:
    titles, users = random_factors(2)
    rows, fractions = np.arange(FEW_TITLES + 1), np.ones(FEW_TITLES + 1)
    gram, prior = gram_matrix(titles), MemberPrior.of(users)
    found = member_vector(rows, fractions, titles, gram, SETTINGS, prior)
    np.testing.assert_array_equal(found, fold_in(rows, fractions, titles, gram, SETTINGS))


def test_only_members_with_few_titles_are_solved_anew() -> None:
    titles, _ = random_factors(3)
    users = random_factors(4)[1][:3]
    users[2] = 0
    watched = np.zeros((3, 30), dtype=np.float32)
    watched[0, :3], watched[1, : FEW_TITLES + 1] = 0.9, 0.9  # and the third has watched nothing
    solved = with_prior(users, csr_matrix(watched), titles, SETTINGS)
    np.testing.assert_array_equal(solved[1:], users[1:])
    expected = member_vector(
        np.arange(3), np.full(3, 0.9), titles, gram_matrix(titles), SETTINGS, MemberPrior.of(users)
    )
    np.testing.assert_allclose(solved[0], expected, rtol=1e-5)

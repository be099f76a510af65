from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from feature_repo.transforms.fold_in import fold_in, gram_matrix
from training.als import AlsConfig, confidence_of, fit_als, signed_confidences, with_regularization
from training.factors import Factors
from training.interactions import InteractionMatrix

SMALL = AlsConfig(dimensions=4, alpha=8.0, regularization=0.5, iterations=10, seed=3, threads=1)


def matrix_of(fractions: dict[tuple[int, int], float], users: int, titles: int) -> InteractionMatrix:
    pairs = np.array(list(fractions), dtype=np.int64).reshape(-1, 2)
    user_ids = np.array([f"u{row}" for row in range(users)])
    title_ids = np.array([f"t{row}" for row in range(titles)])
    values = np.array(list(fractions.values()), dtype=np.float32)
    return InteractionMatrix.build(user_ids[pairs[:, 0]], title_ids[pairs[:, 1]], values, title_ids, user_ids)


def random_matrix(users: int, titles: int, observations: int, seed: int) -> InteractionMatrix:
    rng = np.random.default_rng(seed)
    pairs = zip(rng.integers(0, users, observations), rng.integers(0, titles, observations), strict=True)
    return matrix_of({pair: float(rng.random()) for pair in pairs}, users, titles)


def solve_densely(
    observed: dict[int, float], factors: NDArray[np.float32], config: AlsConfig
) -> NDArray[np.float64]:
    """Hu, Koren, Volinsky 2008, eq. 4, written out: (Yᵀ C Y + λ I)⁻¹ Yᵀ C p."""
    y = factors.astype(np.float64)
    confidence = np.eye(len(y))
    preference = np.zeros(len(y))
    for row, fraction in observed.items():
        confidence[row, row] = 1 + config.alpha * fraction
        preference[row] = 1.0 if fraction >= config.minimum_fraction else 0.0
    assert config.regularization is not None
    left = y.T @ confidence @ y + config.regularization * np.eye(y.shape[1])
    return np.asarray(np.linalg.solve(left, y.T @ confidence @ preference), dtype=np.float64)


def test_confidences_are_negated_below_the_minimum_fraction() -> None:
    matrix = matrix_of({(0, 0): 1.0, (0, 1): 0.1, (0, 2): 0.05, (1, 0): 0.0}, users=2, titles=3)
    signed = signed_confidences(matrix.fractions, AlsConfig(alpha=40.0, minimum_fraction=0.1))
    np.testing.assert_allclose(signed.toarray(), [[41, 5, -3], [-1, 0, 0]], rtol=1e-6)
    assert matrix.fractions[0, 2] == np.float32(0.05), "the input must stay as it was"


def test_user_factors_are_the_exact_solution_of_the_papers_equation() -> None:
    matrix = random_matrix(users=12, titles=9, observations=40, seed=1)
    factors = fit_als(matrix, SMALL)
    for row in range(12):
        sparse_row = matrix.fractions[row]
        observed = dict(zip(sparse_row.indices.tolist(), sparse_row.data.tolist(), strict=True))
        expected = solve_densely(observed, factors.title_factors, SMALL)
        np.testing.assert_allclose(factors.user_factors[row], expected, rtol=1e-3, atol=1e-5)


def test_title_factors_converge_to_the_papers_equation() -> None:
    matrix = random_matrix(users=12, titles=9, observations=40, seed=1)
    config = SMALL.model_copy(update={"iterations": 400})
    factors = fit_als(matrix, config)
    by_title = matrix.fractions.tocsc()
    for column in range(9):
        viewers = slice(by_title.indptr[column], by_title.indptr[column + 1])
        pairs = zip(by_title.indices[viewers].tolist(), by_title.data[viewers].tolist(), strict=True)
        expected = solve_densely(dict(pairs), factors.user_factors, config)
        np.testing.assert_allclose(factors.title_factors[column], expected, rtol=1e-2, atol=1e-3)


def test_fold_in_gives_the_vector_that_fitting_gave() -> None:
    matrix = random_matrix(users=20, titles=15, observations=90, seed=2)
    factors = fit_als(matrix, SMALL)
    gram = gram_matrix(factors.title_factors)
    for row in range(20):
        watched = matrix.fractions[row]
        vector = fold_in(watched.indices, watched.data, factors.title_factors, gram, confidence_of(SMALL))
        assert vector.dtype == np.float32
        np.testing.assert_allclose(vector, factors.user_factors[row], rtol=2e-4, atol=1e-6)


def test_fold_in_of_nothing_is_the_zero_vector() -> None:
    titles = np.random.default_rng(0).random((5, 4), dtype=np.float32)
    nothing = np.empty(0, dtype=np.int64)
    vector = fold_in(
        nothing, np.empty(0, dtype=np.float32), titles, gram_matrix(titles), confidence_of(SMALL)
    )
    assert vector.tolist() == [0, 0, 0, 0]


def test_a_title_left_early_is_scored_below_one_never_started() -> None:
    titles = np.array([[1.0, 0.2, 0, 0], [0.9, 0.3, 0, 0], [0.8, 0.1, 0.5, 0]], dtype=np.float32)
    gram = gram_matrix(titles)
    liked = fold_in(np.array([0]), np.array([1.0], np.float32), titles, gram, confidence_of(SMALL))
    left = fold_in(np.array([0, 1]), np.array([1.0, 0.05], np.float32), titles, gram, confidence_of(SMALL))
    assert titles[1] @ left < titles[1] @ liked


def test_who_and_what_had_no_interactions_has_a_zero_vector() -> None:
    matrix = matrix_of({(0, 0): 1.0, (0, 1): 0.6, (2, 1): 0.9}, users=3, titles=4)
    factors = fit_als(matrix, SMALL)
    assert factors.user_factors.any(axis=1).tolist() == [True, False, True]
    assert factors.title_factors.any(axis=1).tolist() == [True, True, False, False]


def test_same_seed_same_factors_whatever_the_number_of_threads() -> None:
    matrix = random_matrix(users=300, titles=200, observations=4000, seed=4)
    config = AlsConfig(dimensions=16, iterations=5, seed=9, threads=1)
    first = fit_als(matrix, config)
    again = fit_als(matrix, config)
    threaded = fit_als(matrix, config.model_copy(update={"threads": 4}))
    other = fit_als(matrix, config.model_copy(update={"seed": 10}))
    for repeated in (again, threaded):
        np.testing.assert_array_equal(first.user_factors, repeated.user_factors)
        np.testing.assert_array_equal(first.title_factors, repeated.title_factors)
    assert not np.array_equal(first.title_factors, other.title_factors)


def loss(matrix: InteractionMatrix, factors: Factors) -> float:
    config = factors.confidence
    assert config is not None
    fractions = matrix.fractions.toarray()
    confidence = 1 + config.alpha * fractions
    preference = (fractions >= config.minimum_fraction).astype(float)
    error = preference - factors.user_factors @ factors.title_factors.T
    penalty = np.square(factors.user_factors).sum() + np.square(factors.title_factors).sum()
    return float((confidence * np.square(error)).sum() + config.regularization * penalty)


def test_a_warm_start_continues_where_the_last_fit_ended() -> None:
    matrix = random_matrix(users=40, titles=30, observations=300, seed=5)
    one = SMALL.model_copy(update={"iterations": 1})
    trained = fit_als(matrix, SMALL)
    warm, cold = fit_als(matrix, one, warm_start=trained), fit_als(matrix, one)
    assert loss(matrix, warm) < loss(matrix, cold)
    assert loss(matrix, warm) <= loss(matrix, trained) * 1.001


def test_a_warm_start_is_mapped_by_id() -> None:
    matrix = random_matrix(users=40, titles=30, observations=300, seed=5)
    trained = fit_als(matrix, SMALL)
    backwards = Factors(
        np.concatenate([trained.user_ids[::-1], ["gone"]]),
        np.concatenate([trained.title_ids[::-1], ["gone"]]),
        np.vstack([trained.user_factors[::-1], np.ones((1, 4), np.float32)]),
        np.vstack([trained.title_factors[::-1], np.ones((1, 4), np.float32)]),
        trained.confidence,
    )
    one = SMALL.model_copy(update={"iterations": 1})
    straight = fit_als(matrix, one, warm_start=trained)
    mapped = fit_als(matrix, one, warm_start=backwards)
    np.testing.assert_array_equal(straight.title_factors, mapped.title_factors)


def test_a_title_without_interactions_before_can_learn_after_a_warm_start() -> None:
    before = matrix_of({(0, 0): 1.0, (1, 0): 1.0}, users=2, titles=2)
    after = matrix_of({(0, 0): 1.0, (1, 0): 1.0, (1, 1): 1.0}, users=2, titles=2)
    warm = fit_als(after, SMALL, warm_start=fit_als(before, SMALL))
    assert warm.title_factors[1].any()


def test_a_warm_start_of_other_dimensions_is_refused() -> None:
    matrix = matrix_of({(0, 0): 1.0}, users=1, titles=1)
    trained = fit_als(matrix, SMALL)
    with pytest.raises(ValueError, match="warm_start has 4 dimensions, the configuration 5"):
        fit_als(matrix, SMALL.model_copy(update={"dimensions": 5}), warm_start=trained)


def test_regularization_is_a_share_of_what_would_leave_only_zeros() -> None:
    matrix = random_matrix(users=30, titles=20, observations=200, seed=6)
    config = AlsConfig(dimensions=4, relative_regularization=0.25)
    signed = signed_confidences(matrix.fractions, config)
    largest = np.linalg.svd(np.maximum(signed.toarray(), 0), compute_uv=False)[0]
    assert with_regularization(config, signed).regularization == pytest.approx(0.25 * largest, rel=1e-5)


@pytest.mark.parametrize(("share", "vanishes"), [(0.9, False), (1.1, True)])
def test_at_the_spectral_norm_all_factors_vanish(share: float, vanishes: bool) -> None:
    matrix = random_matrix(users=30, titles=20, observations=200, seed=6)
    signed = signed_confidences(matrix.fractions, SMALL)
    largest = np.linalg.svd(np.maximum(signed.toarray(), 0), compute_uv=False)[0]
    config = SMALL.model_copy(update={"regularization": float(share * largest), "iterations": 200})
    assert (np.abs(fit_als(matrix, config).title_factors).max() < 1e-3) == vanishes


def test_a_given_regularization_stays() -> None:
    matrix = matrix_of({(0, 0): 1.0}, users=1, titles=1)
    assert fit_als(matrix, SMALL).confidence == confidence_of(SMALL)


def test_without_a_settled_regularization_nothing_can_be_folded_in() -> None:
    with pytest.raises(ValueError, match="regularization is None"):
        confidence_of(AlsConfig(dimensions=4))


def test_progress_is_told_after_each_iteration() -> None:
    matrix = matrix_of({(0, 0): 1.0}, users=1, titles=1)
    seen: list[tuple[int, int]] = []
    fit_als(matrix, SMALL.model_copy(update={"iterations": 3}), progress=lambda *step: seen.append(step))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    "wrong",
    [{"dimensions": 0}, {"alpha": -1}, {"regularization": 0}, {"minimum_fraction": 1.5}, {"lambda": 1}],
)
def test_a_wrong_setting_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        AlsConfig(**wrong)

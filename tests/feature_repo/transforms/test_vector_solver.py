from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from feature_repo.transforms.confidence import Confidence
from feature_repo.transforms.fold_in import gram_matrix
from feature_repo.transforms.member_prior import MemberPrior, member_vector
from feature_repo.transforms.picks import Taste, taste_history
from feature_repo.transforms.vector_solver import VectorSolver, is_vector

CONFIDENCE = Confidence(alpha=10.0, regularization=1.0, minimum_fraction=0.1)
TITLES = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
MEMBERS = np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
SOLVER = VectorSolver.of(TITLES, MEMBERS, CONFIDENCE)
STORED = np.array([1, 0, 2], dtype=np.float32)
NONE: tuple[np.ndarray | None, ...] = (
    None, np.zeros(3, np.float32), np.full(3, np.nan, np.float32), np.array([1, np.nan, 2], np.float32),
)  # fmt: skip


def watched(*rows: int) -> Taste:
    return taste_history(np.array(rows), np.full(len(rows), 0.9), np.empty(0), 0.0)


def solved_from(taste: Taste) -> np.ndarray:
    prior = MemberPrior.of(MEMBERS)
    return member_vector(
        taste.rows, taste.fractions, TITLES, gram_matrix(TITLES), CONFIDENCE, prior, taste.weights
    )


def test_a_stored_vector_counts() -> None:
    assert SOLVER.solved(STORED, watched(2, 5), picks_count=False) is None


@pytest.mark.parametrize("stored", NONE, ids=["none", "zeros", "NaN", "NaN in part"])
def test_who_has_no_vector_has_one_solved_from_what_they_watched(stored: np.ndarray | None) -> None:
    np.testing.assert_array_equal(SOLVER.solved(stored, watched(2, 5), False), solved_from(watched(2, 5)))


def test_picks_that_count_are_solved_whatever_is_stored() -> None:
    taste = taste_history(np.array([2]), np.array([0.9]), np.array([7]), 0.5)
    np.testing.assert_array_equal(SOLVER.solved(STORED, taste, True), solved_from(taste))


def test_of_whom_nothing_is_known_no_vector_is_made_up() -> None:
    assert SOLVER.solved(None, watched(), picks_count=False) is None


def test_a_model_that_nothing_folds_into_solves_nothing() -> None:
    solver = VectorSolver.of(TITLES, MEMBERS, None)
    assert solver.solved(None, watched(2), picks_count=True) is None


def test_titles_that_came_later_count_like_the_others() -> None:
    more = np.concatenate([TITLES, [[3, 1, 2]]]).astype(np.float32)
    vector = SOLVER.knowing(more).solved(None, watched(9), False)
    expected = replace(SOLVER, title_factors=more, gram=more.T @ more).solved(None, watched(9), False)
    np.testing.assert_array_equal(vector, expected)
    assert more[9] @ vector > more[9] @ MemberPrior.of(MEMBERS).mean


@pytest.mark.parametrize("stored", NONE[1:], ids=["zeros", "NaN", "NaN in part"])
def test_zeros_and_nan_are_no_vector(stored: np.ndarray) -> None:
    assert not is_vector(stored)
    assert is_vector(STORED)

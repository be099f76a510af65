from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.store import FeatureGateway
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.confidence import Confidence
from feature_repo.transforms.fold_in import gram_matrix
from feature_repo.transforms.member_prior import MemberPrior, member_vector
from feature_repo.transforms.towers import TOWER_SHAPES, context_inputs, history_weights, user_tower
from training.factors import Factors
from training.interactions import InteractionMatrix
from training.page_vectors import page_vectors
from training.retrieval import Retrieval
from training.two_tower import TwoTower, TwoTowerConfig

MakeRows = Callable[..., pa.Table]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
PAGE = NOON + timedelta(minutes=1)
TITLES = np.array([f"t{i}" for i in range(6)])
USERS = np.array(["ann", "ben", "cyd"])
CONFIDENCE = Confidence(alpha=10.0, regularization=1.0, minimum_fraction=0.1)


@pytest.fixture
def retrieval() -> Retrieval:
    """Ann and Ben have stored vectors, Cyd has none, and Dan and Eve came later."""
    rng = np.random.default_rng(0)
    nothing = InteractionMatrix.build(USERS[:0], TITLES[:0], np.empty(0), TITLES, USERS)
    users = np.array([[1, 2, 3], [0, 1, 0], [0, 0, 0]], dtype=np.float32)
    factors = Factors(USERS, TITLES, users, rng.normal(size=(6, 3)).astype(np.float32), CONFIDENCE)
    shapes = {
        name: [len(TITLES) if n == "titles" else n for n in shape] for name, shape in TOWER_SHAPES.items()
    }
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    tower = TwoTower(TITLES, weights, TwoTowerConfig())
    return Retrieval(NOON, nothing, nothing, factors, tower, np.zeros((6, 256)), np.zeros((257, 3)))


@pytest.fixture
def known(gateway: FeatureGateway, lake: Lake, make_rows: MakeRows) -> FeatureGateway:
    """Ann, Ben and Cyd watched t1 and t0, first 36 hours ago; Ben and Dan picked t4 and a title not known."""
    for table in s.FEATURE_TABLES:
        lake.replace(table, table.arrow_schema.empty_table())
    watched = {
        s.EVENT_TIMESTAMP: NOON, s.RECENT_TITLE_IDS: ["t1", "t0"], s.RECENT_WATCH_FRACTIONS: [0.9, 0.2],
        s.FIRST_WATCHED_AT: epoch_microseconds(PAGE - timedelta(hours=36)),
    }  # fmt: skip
    picked = {s.EVENT_TIMESTAMP: NOON, s.SELECTED_TITLE_IDS: ["t4", "unknown"]}
    snapshots = [watched | {s.USER_ID: user} for user in USERS.tolist()]
    picks = [picked | {s.USER_ID: user} for user in ("ben", "dan")]
    lake.replace(s.USER_SNAPSHOT, make_rows(s.USER_SNAPSHOT, snapshots))
    lake.replace(s.USER_PICKS, make_rows(s.USER_PICKS, picks))
    return gateway


def solved(retrieval: Retrieval, watched: dict[int, float], says: list[float]) -> np.ndarray:
    factors = retrieval.factors
    titles, prior = factors.title_factors, MemberPrior.of(factors.user_factors)
    rows, fractions = np.array(list(watched)), np.array(list(watched.values()), dtype=np.float32)
    weights = np.array(says, dtype=np.float32)
    return member_vector(rows, fractions, titles, gram_matrix(titles), CONFIDENCE, prior, weights)


def of_tower(retrieval: Retrieval, watched: dict[int, float], says: list[float]) -> np.ndarray:
    context = context_inputs(np.array([float(epoch_microseconds(PAGE))]), np.array(["tv"]))
    weights = history_weights(np.array(list(watched.values()), np.float32)) * np.array(says, np.float32)
    found: np.ndarray = user_tower(
        retrieval.tower.weights, np.array([list(watched)], int), weights[None], context
    )
    return found[0]


def test_each_member_has_the_vectors_of_their_page(known: FeatureGateway, retrieval: Retrieval) -> None:
    members = np.array(["ann", "ben", "cyd", "dan", "eve"])
    instants = np.full(len(members), epoch_microseconds(PAGE))
    vectors = page_vectors(known, retrieval, members, instants, np.full(len(members), "tv"))
    watched = {1: 0.9, 0: 0.2}
    halfway = {4: 0.5}, [0.5]  # a pick is half a completed watch, and after 36 hours half of it is left
    assert vectors.solved.tolist() == [False, True, True, True, False]
    for page, core in enumerate((
        retrieval.factors.user_factors[0],  # stored, nothing picked
        solved(retrieval, watched | halfway[0], [1, 1, *halfway[1]]),  # stored, but picks still count
        solved(retrieval, watched, [1, 1]),  # watched since the training
        solved(retrieval, {4: 0.5}, [1]),  # picked, and not watched yet
        np.full(3, np.nan),  # of whom nothing is known
    )):  # fmt: skip
        np.testing.assert_allclose(vectors.core[page], core, rtol=1e-5, err_msg=members[page])
    for page, tower in enumerate((
        of_tower(retrieval, watched, [1, 1]),
        of_tower(retrieval, watched | halfway[0], [1, 1, *halfway[1]]),
        of_tower(retrieval, watched, [1, 1]),
        of_tower(retrieval, {4: 0.5}, [1]),
        of_tower(retrieval, {0: np.nan}, [0]),
    )):  # fmt: skip
        np.testing.assert_allclose(vectors.tower[page], tower, rtol=1e-4, atol=1e-5, err_msg=members[page])


def test_a_page_knows_nothing_of_what_came_after_it(known: FeatureGateway, retrieval: Retrieval) -> None:
    before = np.array([epoch_microseconds(NOON - timedelta(microseconds=1))])
    vectors = page_vectors(known, retrieval, np.array(["cyd"]), before, np.array(["tv"]))
    assert not vectors.solved.any()
    assert np.isnan(vectors.core).all()


def test_no_pages_have_no_vectors(known: FeatureGateway, retrieval: Retrieval) -> None:
    vectors = page_vectors(known, retrieval, USERS[:0], np.empty(0, np.int64), USERS[:0])
    assert (vectors.core.shape, vectors.solved.shape, vectors.tower.shape) == ((0, 3), (0,), (0, 256))

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from feature_repo import schema as s
from feature_repo.transforms.candidate_mix import LIMITS
from feature_repo.transforms.encoding import Arrays
from feature_repo.transforms.ranking import FIRST_PLACE, RANKING_FEATURES, ranking_features
from training.candidates import Generators, MemberSide
from training.evaluation.cases import EvaluationSet
from training.factors import Factors
from training.interactions import InteractionMatrix
from training.popularity import SegmentScores
from training.ranker import Ranker, RankerConfig, fit_ranker
from training.retrieval import Retrieval
from training.two_stage import TwoStageScorer, first_contexts
from training.two_tower import TwoTower, TwoTowerConfig

USERS = np.array(["ann", "bob"])
TITLES = np.array([f"t{i}" for i in range(6)])
NOW = 1.77e15
TITLE_FACTORS = np.array([[9, 1], [8, 1], [7, 1], [6, 1], [-1, 1], [-2, 1]], dtype=np.float32)
TOWERS = np.eye(6, 2, dtype=np.float32)
MEMBER_VECTORS = np.array([[0.6, 0.8], [1, 0]], dtype=np.float32)


@pytest.fixture
def matrix() -> InteractionMatrix:
    """Ann watched t0, Bob t5 and t4."""
    watched = np.array(["ann", "bob", "bob"]), np.array(["t0", "t5", "t4"])
    return InteractionMatrix.build(*watched, np.array([1.0, 0.1, 0.0]), TITLES, USERS)


def random_side(tables: tuple[s.Table, ...], rows: int, seed: int) -> Arrays:
    rng = np.random.default_rng(seed)
    arrays: Arrays = {}
    for column in (c for table in tables for c in table.columns):
        shape = (rows, column.length) if column.length else (rows,)
        text = column.type == s.TITLES.column(s.NAME).type
        arrays[column.name] = np.full(rows, "x") if text else rng.random(shape).astype(np.float32)
    return arrays


@pytest.fixture
def member() -> Arrays:
    return random_side((s.USER_SNAPSHOT, s.USER_SESSION, s.USER_PROFILE, s.USER_ALS_EMBEDDING), len(USERS), 1)


@pytest.fixture
def titles() -> Arrays:
    return random_side((s.TITLE_METADATA, s.TITLE_STATISTICS, s.TITLE_ALS_EMBEDDING), len(TITLES), 2)


@pytest.fixture
def context() -> Arrays:
    return {s.REQUEST_TIMESTAMP: np.array([NOW, NOW + 3.6e9]), s.DEVICE_TYPE: np.array(["tv", "web"])}


@pytest.fixture(scope="module")
def ranker() -> Ranker:
    rng = np.random.default_rng(0)
    features = rng.random((300, len(RANKING_FEATURES))).astype(np.float32)
    place = RANKING_FEATURES.index("log_view_count")
    labels = (features[:, place] > 0.4).astype(np.float32)
    return fit_ranker(features, labels, None, None, RankerConfig(trees=10, threads=1))


def scorer_of(
    matrix: InteractionMatrix,
    sides: tuple[Arrays, Arrays, Arrays],
    ranker: Ranker,
    available: list[bool] | None = None,
) -> TwoStageScorer:
    """Ann's ALS vector likes t0 to t2 in falling order, nobody else has one; t5 is the most popular."""
    member, titles, context = sides
    factors = Factors(USERS, TITLES, np.array([[1, 0], [0, 0]], np.float32), TITLE_FACTORS, None)
    retrieval = Retrieval(
        datetime(2026, 1, 1, tzinfo=UTC), matrix, matrix, factors, TwoTower(TITLES, {}, TwoTowerConfig(), {}),
        TOWERS, np.zeros((3, 2), np.float32),
    )  # fmt: skip
    chart = SegmentScores(np.array([""]), np.array([[1, 0, 0, 0, 0, 9]], np.float32), np.ones(1, np.float32))
    nobody = np.zeros((2, 50))
    generators = Generators(
        cases=EvaluationSet(
            matrix, csr_matrix(matrix.fractions.shape, dtype=bool),
            np.array([True] * 6 if available is None else available), np.arange(len(USERS)),
        ),
        retrieval=retrieval,
        members=MemberSide(
            MEMBER_VECTORS, nobody.astype(np.int32), nobody.astype(np.float32), np.array(["", ""]),
            np.array(["", ""]),
        ),
        popularity=chart, trending=chart, available_since=np.zeros(6, np.int64), now_us=int(NOW),
        limits={**LIMITS, "als": 2, "popularity": 1, "trending": 1},
    )  # fmt: skip
    return TwoStageScorer(ranker, generators, member=member, titles=titles, context=context)


def test_only_unseen_candidates_are_scored(
    matrix: InteractionMatrix, member: Arrays, titles: Arrays, context: Arrays, ranker: Ranker
) -> None:
    scores = scorer_of(matrix, (member, titles, context), ranker).scores(np.array([0, 1]))
    # Ann: t0 is seen, so t1 and t2, and popularity's t5. Bob: t5 and t4 are seen, so popularity's t0.
    assert np.isfinite(scores).tolist() == [
        [False, True, True, False, False, True],
        [True, False, False, False, False, False],
    ]
    assert np.isneginf(scores[~np.isfinite(scores)]).all()


def test_a_title_that_is_not_available_is_not_proposed(
    matrix: InteractionMatrix, member: Arrays, titles: Arrays, context: Arrays, ranker: Ranker
) -> None:
    available = [True, False, True, True, True, True]
    scores = scorer_of(matrix, (member, titles, context), ranker, available).scores(np.array([0]))
    assert np.isfinite(scores[0]).tolist() == [False, False, True, True, False, True]


def test_scores_are_the_rankers_on_the_features_of_each_pair(
    matrix: InteractionMatrix, member: Arrays, titles: Arrays, context: Arrays, ranker: Ranker
) -> None:
    scores = scorer_of(matrix, (member, titles, context), ranker).scores(np.array([0]))[0]
    for title in (1, 2, 5):
        near = MEMBER_VECTORS[0] @ TOWERS[title]
        row = ranking_features(
            {name: values[:1] for name, values in member.items()},
            {name: values[title : title + 1] for name, values in titles.items()},
            {name: values[:1] for name, values in context.items()}
            | {s.TWO_TOWER_SCORE: np.array([near], np.float32)}
            | FIRST_PLACE,
        )
        assert scores[title] == ranker.score(row)[0]


def test_a_context_is_that_of_the_first_event_and_a_default_for_the_others() -> None:
    context = first_contexts(
        np.array(["ann", "bob", "cyd", "zoe"]),
        np.array(["cyd", "ann", "cyd", "ann"]),
        np.array([10, 20, 30, 40]),
        np.array(["tablet", "", "tv", "web"]),
        default=5,
    )
    assert context[s.REQUEST_TIMESTAMP].tolist() == [20.0, 5.0, 10.0, 5.0]
    assert context[s.REQUEST_TIMESTAMP].dtype == np.float64
    assert context[s.DEVICE_TYPE].tolist() == ["", "", "tablet", ""]


def test_without_events_every_context_is_the_default() -> None:
    none = np.array([], dtype=np.str_)
    context = first_contexts(np.array(["ann"]), none, np.array([], dtype=np.int64), none, default=5)
    assert context[s.REQUEST_TIMESTAMP].tolist() == [5.0]
    assert context[s.DEVICE_TYPE].tolist() == [""]

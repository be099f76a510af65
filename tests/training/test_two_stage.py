from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from feature_repo import schema as s
from feature_repo.transforms.encoding import Arrays
from feature_repo.transforms.ranking import RANKING_FEATURES, ranking_features
from training.evaluation.cases import EvaluationSet
from training.interactions import InteractionMatrix
from training.ranker import Ranker, RankerConfig, fit_ranker
from training.two_stage import TwoStageScorer, first_contexts

USERS = np.array(["ann", "bob"])
TITLES = np.array([f"t{i}" for i in range(6)])
NOW = 1.77e15


class TableScorer:
    """Scores as given."""

    def __init__(self, table: list[list[float]]) -> None:
        self.table = np.array(table, dtype=np.float32)

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.table[user_rows]


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
    return random_side((s.USER_SNAPSHOT, s.USER_PROFILE, s.USER_ALS_EMBEDDING), len(USERS), 1)


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
    """For Ann, t0 to t3 score in falling order and popularity loves t5; for Bob all is turned round."""
    member, titles, context = sides
    first = TableScorer([[9, 8, 7, 6, 0, 0], [0, 0, 6, 7, 8, 9]])
    popular = TableScorer([[0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0]])
    may_be_ranked = np.array([True] * 6 if available is None else available)
    nothing_relevant = csr_matrix(matrix.fractions.shape, dtype=bool)
    cases = EvaluationSet(matrix, nothing_relevant, may_be_ranked, np.arange(len(USERS)))
    return TwoStageScorer(
        ranker, cases, member=member, titles=titles, context=context, proposers=[(first, 2), (popular, 1)]
    )


def test_only_unseen_candidates_are_scored(
    matrix: InteractionMatrix, member: Arrays, titles: Arrays, context: Arrays, ranker: Ranker
) -> None:
    scores = scorer_of(matrix, (member, titles, context), ranker).scores(np.array([0, 1]))
    # Ann: t0 is seen, so t1 and t2, and popularity's t5. Bob: t5 and t4 are seen, even left at once.
    assert np.isfinite(scores).tolist() == [
        [False, True, True, False, False, True],
        [True, False, True, True, False, False],
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
    scores = scorer_of(matrix, (member, titles, context), ranker).scores(np.array([1]))[0]
    for title in (0, 2, 3):
        row = ranking_features(
            {name: values[1:2] for name, values in member.items()},
            {name: values[title : title + 1] for name, values in titles.items()},
            {name: values[1:2] for name, values in context.items()},
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

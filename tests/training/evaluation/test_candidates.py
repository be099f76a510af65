from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from training.evaluation.candidates import candidate_recall
from training.evaluation.cases import EvaluationSet
from training.evaluation.protocol import ALL, NEW_MEMBERS, NEW_TITLES, EvaluationConfig, evaluate
from training.interactions import InteractionMatrix

MEMBERS = np.array(["a", "b", "c"])
CATALOGUE = np.array(["t0", "t1", "t2", "t3"])
CONFIG = EvaluationConfig(cutoffs=(1, 2, 4), new_member_titles=1, new_title_viewers=1)


class TableScorer:
    """Proposes what has a finite score."""

    def __init__(self, table: list[list[float]]) -> None:
        self._table = np.array(table, dtype=np.float32)

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._table[user_rows]


def matrix_of(watched: dict[str, list[str]]) -> InteractionMatrix:
    users = np.array([user for user, titles in watched.items() for _ in titles])
    titles = np.array([title for titles in watched.values() for title in titles])
    return InteractionMatrix.build(users, titles, np.ones(len(users), np.float32), CATALOGUE, MEMBERS)


# t3 is a new title, c a new member.
CASES = EvaluationSet.build(
    matrix_of({"a": ["t0"], "b": ["t1", "t2"]}), matrix_of({"a": ["t1", "t3"], "b": ["t3"], "c": ["t0"]})
)
NO = -np.inf
# Proposed, best first: a: t1 t2 (t0 is seen); b: t0 t3 (t1 is seen); c: t2.
SCORER = TableScorer([[9, 8, 7, NO], [5, 9, NO, 4], [NO, NO, 1, NO]])


def values(rows: list, segment: str) -> dict[int, float]:  # type: ignore[type-arg]
    return {row.k: row.value for row in rows if row.segment == segment}


def test_values_by_hand() -> None:
    rows = candidate_recall("mix", SCORER, CASES, CONFIG, cutoffs=(1, 2, 3))
    assert {(row.model, row.metric) for row in rows} == {("mix", "candidate_recall")}
    assert values(rows, ALL) == pytest.approx({1: (0.5 + 0 + 0) / 3, 2: (0.5 + 1 + 0) / 3, 3: 0.5})
    assert values(rows, NEW_MEMBERS) == {1: 0, 2: 0, 3: 0}
    assert values(rows, NEW_TITLES) == {1: 0, 2: 0.5, 3: 0.5}
    assert {(row.segment, row.users) for row in rows} == {(ALL, 3), (NEW_MEMBERS, 1), (NEW_TITLES, 2)}


def test_it_is_the_recall_of_the_evaluation_of_models() -> None:
    rows = candidate_recall("x", SCORER, CASES, CONFIG, cutoffs=CONFIG.cutoffs)
    of_models = [row for row in evaluate("x", SCORER, CASES, CONFIG) if row.metric == "recall"]
    assert [replace(row, metric="recall") for row in rows] == of_models


def test_the_size_of_batches_changes_nothing() -> None:
    config = replace(CONFIG, users_per_batch=1)
    assert candidate_recall("x", SCORER, CASES, config) == candidate_recall("x", SCORER, CASES, CONFIG)


def test_nobody_to_ask_gives_no_rows() -> None:
    empty = replace(CASES, user_rows=np.array([], dtype=np.int64))
    assert candidate_recall("x", SCORER, empty, CONFIG) == []

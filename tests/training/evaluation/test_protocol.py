from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from training.evaluation.cases import EvaluationSet
from training.evaluation.protocol import ALL, NEW_MEMBERS, NEW_TITLES, EvaluationConfig, evaluate
from training.evaluation.results import MetricRow
from training.interactions import InteractionMatrix

MEMBERS = np.array(["a", "b", "c"])
CATALOGUE = np.array(["t0", "t1", "t2", "t3"])
CONFIG = EvaluationConfig(cutoffs=(1, 2), new_member_titles=1, new_title_viewers=1)


class FixedScorer:
    """Scores every member alike."""

    def __init__(self, values: list[float]) -> None:
        self._values = np.array(values, dtype=np.float32)

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.tile(self._values, (len(user_rows), 1))


def matrix_of(triples: list[tuple[str, str, float]]) -> InteractionMatrix:
    users, titles, fractions = zip(*triples, strict=True)
    return InteractionMatrix.build(
        np.array(users), np.array(titles), np.array(fractions, dtype=np.float32), CATALOGUE, MEMBERS
    )


# a saw t0, b saw t0 and t1, c is new; t2 and t3 are new titles.
TRAIN = matrix_of([("a", "t0", 1.0), ("b", "t0", 1.0), ("b", "t1", 1.0)])
TEST = matrix_of([("a", "t1", 1.0), ("a", "t3", 1.0), ("b", "t3", 1.0), ("c", "t0", 1.0)])
CASES = EvaluationSet.build(TRAIN, TEST)
SCORER = FixedScorer([4.0, 3.0, 2.0, 1.0])
# Lists: a: t1 t2 t3; b: t2 t3; c: t0 t1 t2 t3.


def value(rows: list[MetricRow], segment: str, metric: str, k: int | None) -> float:
    found = [row.value for row in rows if (row.segment, row.metric, row.k) == (segment, metric, k)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("segment", "metric", "k", "expected"),
    [
        (ALL, "recall", 1, (0.5 + 0 + 1) / 3),
        (ALL, "recall", 2, (0.5 + 1 + 1) / 3),
        (ALL, "ndcg", 1, (1 + 0 + 1) / 3),
        (ALL, "ndcg", 2, (1 / (1 + 1 / math.log2(3)) + 1 / math.log2(3) + 1) / 3),
        (ALL, "mrr", None, (1 + 1 / 2 + 1) / 3),
        (ALL, "coverage", 1, 3 / 4),
        (ALL, "coverage", 2, 4 / 4),
        (NEW_MEMBERS, "recall", 1, 1.0),
        (NEW_MEMBERS, "coverage", 2, 2 / 4),
        (NEW_TITLES, "recall", 1, 0.0),
        (NEW_TITLES, "recall", 2, (0 + 1) / 2),
        (NEW_TITLES, "mrr", None, (1 / 3 + 1 / 2) / 2),
    ],
)
def test_values_by_hand(segment: str, metric: str, k: int | None, expected: float) -> None:
    assert value(evaluate("fixed", SCORER, CASES, CONFIG), segment, metric, k) == pytest.approx(expected)


def test_novelty_and_diversity_by_hand() -> None:
    genres = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], dtype=np.float32)
    rows = evaluate("fixed", SCORER, CASES, CONFIG, genres)
    # Viewers 2, 1, 0, 0 of 3 members: log2 of 4/3, 2, 4, 4.
    assert value(rows, ALL, "novelty", 1) == pytest.approx((1 + 2 + math.log2(4 / 3)) / 3)
    assert value(rows, ALL, "diversity", 2) == pytest.approx((1 + 1 + 0) / 3)
    assert not [row for row in rows if row.metric == "diversity" and row.k == 1], "one title has no pair"


def test_members_are_counted_per_segment() -> None:
    rows = evaluate("fixed", SCORER, CASES, CONFIG)
    users = {(row.segment, row.users) for row in rows}
    assert users == {(ALL, 3), (NEW_MEMBERS, 1), (NEW_TITLES, 2)}
    assert {row.model for row in rows} == {"fixed"}


def test_the_size_of_batches_changes_nothing() -> None:
    config = replace(CONFIG, users_per_batch=1)
    assert evaluate("fixed", SCORER, CASES, config) == evaluate("fixed", SCORER, CASES, CONFIG)


def test_bootstrap_intervals_hold_the_value_and_repeat() -> None:
    config = replace(CONFIG, bootstrap_samples=200, seed=7)
    rows = evaluate("fixed", SCORER, CASES, config)
    assert rows == evaluate("fixed", SCORER, CASES, config)
    recall = next(row for row in rows if (row.segment, row.metric, row.k) == (ALL, "recall", 1))
    assert recall.low is not None
    assert recall.high is not None
    assert recall.low <= recall.value <= recall.high


def test_an_empty_segment_gives_no_rows() -> None:
    rows = evaluate("fixed", SCORER, CASES, replace(CONFIG, new_member_titles=0, new_title_viewers=0))
    assert {row.segment for row in rows} == {ALL}


def test_no_relevant_title_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="no member has a relevant title"):
        evaluate("fixed", SCORER, EvaluationSet.build(TRAIN, TRAIN), CONFIG)

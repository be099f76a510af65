from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from training.baselines.popularity import PopularityScorer
from training.evaluation.cases import EvaluationSet, ranked_lists
from training.evaluation.truth import OracleScorer, mean_play_probabilities, mean_play_probability
from training.interactions import InteractionMatrix

MEMBERS = np.array(["a", "b"])
CATALOGUE = np.array(["t0", "t1", "t2"])
TRUTH = {
    ("a", "t0"): 0.1,
    ("a", "t1"): 0.2,
    ("a", "t2"): 0.9,
    ("b", "t0"): 0.6,
    ("b", "t1"): 0.5,
    ("b", "t2"): 0.0,
}


def truth(user_ids: NDArray[np.str_], title_ids: NDArray[np.str_]) -> NDArray[np.float64]:
    return np.array([TRUTH[str(u), str(t)] for u, t in zip(user_ids, title_ids, strict=True)])


def matrix_of(triples: list[tuple[str, str, float]]) -> InteractionMatrix:
    users, titles, fractions = zip(*triples, strict=True)
    return InteractionMatrix.build(
        np.array(users), np.array(titles), np.array(fractions, dtype=np.float32), CATALOGUE, MEMBERS
    )


TRAIN = matrix_of([("b", "t0", 1.0)])
CASES = EvaluationSet.build(TRAIN, matrix_of([("a", "t0", 1.0), ("b", "t1", 1.0)]))


def test_mean_over_all_places() -> None:
    ranked = np.array([[2, 0], [1, 0]])
    mean = mean_play_probability(ranked, np.array([0, 1]), TRAIN, truth)
    assert mean == pytest.approx((0.9 + 0.1 + 0.5 + 0.6) / 4)


def test_an_empty_place_plays_nothing() -> None:
    mean = mean_play_probability(np.array([[2, -1]]), np.array([0]), TRAIN, truth)
    assert mean == pytest.approx(0.45)


def test_no_list_is_an_error() -> None:
    with pytest.raises(ValueError, match="ranked is empty"):
        mean_play_probability(np.empty((0, 2), dtype=np.int64), np.empty(0, dtype=np.int64), TRAIN, truth)


def test_the_oracle_ranks_by_truth_and_is_above_popularity() -> None:
    lists = {
        "oracle": ranked_lists(OracleScorer(TRAIN, truth), CASES, k=1),
        "popularity": ranked_lists(PopularityScorer(TRAIN), CASES, k=1),
    }
    assert lists["oracle"].tolist() == [[2], [1]]
    assert lists["popularity"].tolist() == [[0], [1]]
    means = mean_play_probabilities(lists, CASES, truth)
    assert means == pytest.approx({"oracle": 0.7, "popularity": 0.3})

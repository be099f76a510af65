from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from feature_repo.transforms.ranking import RANKING_FEATURES
from training.ranker import Ranker, RankerConfig, RankingExamples, fit_ranker, ranking_label

CONFIG = RankerConfig(trees=30, depth=3, learning_rate=0.3, threads=1)
RULE = RANKING_FEATURES.index("als_score")


def _examples(seed: int, rows: int = 1_500) -> RankingExamples:
    """Titles are played exactly where ``als_score`` is above 1; one entry in ten is unknown."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, len(RANKING_FEATURES))).astype(np.float32)
    labels = (matrix[:, RULE] > 1).astype(np.float32)
    unknown = rng.random(matrix.shape) < 0.1
    unknown[:, RULE] = False
    matrix[unknown] = np.nan
    return RankingExamples(matrix, labels, groups=np.arange(rows) // 15)


@pytest.fixture(scope="module")
def training() -> RankingExamples:
    return _examples(1)


@pytest.fixture(scope="module")
def later() -> RankingExamples:
    return _examples(2)


@pytest.fixture(scope="module")
def ranker(training: RankingExamples, later: RankingExamples) -> Ranker:
    return fit_ranker(training.matrix, training.labels, None, later, CONFIG)


def _auc(ranker: Ranker, examples: RankingExamples) -> float:
    return float(roc_auc_score(examples.labels, ranker.score(examples.matrix)))


@pytest.mark.parametrize("objective", ["binary:logistic", "rank:ndcg"])
def test_a_planted_rule_is_learned(training: RankingExamples, objective: Any) -> None:
    config = CONFIG.model_copy(update={"objective": objective})
    ranker = fit_ranker(training.matrix, training.labels, training.groups, _examples(3), config)
    assert _auc(ranker, _examples(4)) > 0.99
    assert next(iter(ranker.importance())) == "als_score"


def test_the_default_weight_of_leaves_leaves_room_to_learn_from_few_rows() -> None:
    few = _examples(1)
    ranker = fit_ranker(few.matrix[:300], few.labels[:300], None, None, CONFIG)
    assert _auc(ranker, _examples(4)) > 0.9


def test_shuffled_labels_teach_nothing(training: RankingExamples, later: RankingExamples) -> None:
    shuffled = np.random.default_rng(0).permutation(training.labels)
    ranker = fit_ranker(training.matrix, shuffled, None, later, CONFIG)
    assert abs(_auc(ranker, later) - 0.5) < 0.1


def test_scores_are_probabilities(ranker: Ranker, later: RankingExamples) -> None:
    scores = ranker.score(later.matrix)
    assert scores.dtype == np.float32
    assert scores.shape == later.labels.shape
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert scores.mean() == pytest.approx(later.labels.mean(), abs=0.05)


def test_bytes_bring_back_the_same_ranker(ranker: Ranker, later: RankingExamples) -> None:
    data = ranker.to_bytes()
    again = Ranker.from_bytes(data)
    np.testing.assert_array_equal(again.score(later.matrix), ranker.score(later.matrix))
    assert again.to_bytes() == data
    assert data.startswith(b"{")  # what a bundle asks of a ranker


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    ranker: Ranker, training: RankingExamples, later: RankingExamples
) -> None:
    def fit(config: RankerConfig) -> bytes:
        return fit_ranker(training.matrix, training.labels, None, later, config).to_bytes()

    assert fit(CONFIG) == ranker.to_bytes()
    assert fit(CONFIG.model_copy(update={"seed": 1})) != ranker.to_bytes()


def test_a_row_scores_the_same_alone_and_among_others(ranker: Ranker, later: RankingExamples) -> None:
    together = ranker.score(later.matrix[:20])
    alone = np.concatenate([ranker.score(later.matrix[row : row + 1]) for row in range(20)])
    np.testing.assert_array_equal(together, alone)


def test_training_stops_and_keeps_the_trees_up_to_the_best(training: RankingExamples) -> None:
    noise = RankingExamples(training.matrix, np.random.default_rng(3).permutation(training.labels))
    config = CONFIG.model_copy(update={"early_stopping_trees": 3})
    ranker = fit_ranker(training.matrix, training.labels, None, noise, config)
    curve = ranker.curves["logloss, validation"]
    assert ranker.booster.num_boosted_rounds() == int(np.argmin(curve)) + 1
    assert len(curve) < CONFIG.trees


def test_without_validation_all_trees_are_grown_and_counted(training: RankingExamples) -> None:
    seen: list[tuple[int, int]] = []
    config = CONFIG.model_copy(update={"trees": 4})
    ranker = fit_ranker(
        training.matrix, training.labels, None, None, config, progress=lambda *step: seen.append(step)
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert ranker.booster.num_boosted_rounds() == 4
    assert list(ranker.curves) == ["logloss, training"]


def test_weights_decide_between_contradicting_rows() -> None:
    matrix = np.zeros((200, len(RANKING_FEATURES)), dtype=np.float32)
    labels = np.tile(np.array([0, 1], dtype=np.float32), 100)

    def score(of_zero: float, of_one: float) -> float:
        weights = np.tile(np.array([of_zero, of_one], dtype=np.float32), 100)
        ranker = fit_ranker(matrix, labels, None, None, CONFIG, weights=weights)
        return float(ranker.score(matrix[:1])[0])

    assert score(1, 3) == pytest.approx(0.75, abs=0.02)
    assert score(3, 1) == pytest.approx(0.25, abs=0.02)


def test_pages_may_come_in_any_order(training: RankingExamples) -> None:
    config = CONFIG.model_copy(update={"objective": "rank:ndcg", "subsample": 1.0, "trees": 5})
    assert training.groups is not None
    pages = np.array([f"page-{number:04}" for number in training.groups])
    order = np.random.default_rng(9).permutation(len(pages))
    order = order[np.argsort(pages[order] < "page-0050", kind="stable")]
    weights = np.ones(len(pages), dtype=np.float32)
    mixed = fit_ranker(
        training.matrix[order], training.labels[order], pages[order], None, config, weights=weights
    )
    assert _auc(mixed, _examples(4)) > 0.95


def test_importance_is_a_share_of_the_whole(ranker: Ranker) -> None:
    importance = ranker.importance()
    assert set(importance) == set(RANKING_FEATURES)
    assert sum(importance.values()) == pytest.approx(1)
    assert list(importance.values()) == sorted(importance.values(), reverse=True)


def test_a_play_counts_unless_it_was_abandoned() -> None:
    played = np.array([False, True, True, True, True, False])
    fraction = np.array([np.nan, np.nan, 0.05, 0.1, 1.0, 0.9], dtype=np.float32)
    np.testing.assert_array_equal(ranking_label(played, fraction), [0, 1, 0, 1, 1, 0])
    assert ranking_label(played, fraction).dtype == np.float32


def _matrix(rows: int, columns: int = len(RANKING_FEATURES)) -> NDArray[np.float32]:
    return np.zeros((rows, columns), dtype=np.float32)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"matrix": _matrix(2, 3)}, r"matrix has shape \(2, 3\)"),
        ({"matrix": _matrix(3)}, r"matrix has shape \(3, "),
        ({"groups": np.zeros(3)}, "groups has 3 entries for 2 rows"),
        ({"weights": np.zeros(1, dtype=np.float32)}, "weights has 1 entries"),
        ({"labels": np.array([0, 2], dtype=np.float32)}, "labels must lie in 0 to 1"),
        ({"labels": np.array([0, np.nan], dtype=np.float32)}, "labels must lie in 0 to 1"),
    ],
)
def test_arrays_that_do_not_fit_are_named(fields: dict[str, Any], message: str) -> None:
    fitting: dict[str, Any] = {"matrix": _matrix(2), "labels": np.array([0, 1], dtype=np.float32)}
    with pytest.raises(ValueError, match=message):
        RankingExamples(**(fitting | fields))


def test_labels_without_a_play_are_refused() -> None:
    with pytest.raises(ValueError, match="holds no play"):
        fit_ranker(_matrix(2), np.zeros(2, dtype=np.float32), None, None, CONFIG)


def test_ranking_by_page_needs_pages() -> None:
    config = CONFIG.model_copy(update={"objective": "rank:ndcg"})
    with pytest.raises(ValueError, match="groups is None"):
        fit_ranker(_matrix(2), np.ones(2, dtype=np.float32), None, None, config)


@pytest.mark.parametrize("data", [b"", b"{garbage", b"\x80\x04pickle"])
def test_bytes_that_are_no_ranker_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no XGBoost model"):
        Ranker.from_bytes(data)


def test_a_ranker_of_other_columns_is_refused(ranker: Ranker) -> None:
    other = Ranker.from_bytes(ranker.to_bytes())
    other.booster.feature_names = [f"column_{place}" for place in range(len(RANKING_FEATURES))]
    with pytest.raises(ValueError, match="other columns"):
        Ranker.from_bytes(other.to_bytes())

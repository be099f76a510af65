from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from feature_repo.transforms.ranking import RANKING_FEATURES, at_place
from training.candidates import Generators
from training.evaluation.cases import EvaluationSet
from training.position_bias import (
    GAIN,
    NOT_TOLD,
    TOLD,
    TRUE_PLAYS,
    compare,
    learned_examination,
    position_bias,
)
from training.ranker import Ranker, RankerConfig, fit_ranker

QUALITY = RANKING_FEATURES.index("play_rate")
ROW, POSITION = RANKING_FEATURES.index("shown_row"), RANKING_FEATURES.index("shown_position")
EXAMINED = np.array([[1.0, 0.8], [0.5, 0.4]])
PLAYED = np.array([0.2, 0.3])
"""How often titles of each of two kinds are played by who looks at them."""


def tiles(top_share: tuple[float, float], seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Tiles of two kinds, each kind that often in the top row, and which of them were played."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 2, 60_000)
    row = np.where(rng.random(len(kind)) < np.array(top_share)[kind], 0, 1)
    position = rng.integers(0, 2, len(kind))
    matrix = np.full((len(kind), len(RANKING_FEATURES)), np.nan, np.float32)
    matrix[:, QUALITY], matrix[:, ROW], matrix[:, POSITION] = kind, row + 1, position + 1
    played = rng.random(len(kind)) < EXAMINED[row, position] * PLAYED[kind]
    return matrix, played.astype(np.float32)


def fitted(matrix: NDArray[np.float32], labels: NDArray[np.float32]) -> Ranker:
    # All columns for every tree: but for these three there are none.
    config = RankerConfig(trees=100, depth=3, column_subsample=1.0, threads=1)
    return fit_ranker(matrix, labels, None, None, config)


def kinds(ranker: Ranker, matrix: NDArray[np.float32]) -> list[float]:
    """The score of a title of each kind at the first place."""
    rows = [int(np.flatnonzero(matrix[:, QUALITY] == kind)[0]) for kind in (0, 1)]
    scores: list[float] = ranker.score(at_place(matrix[rows])).tolist()
    return scores


def test_a_ranker_that_knows_the_places_does_not_take_the_top_of_the_page_for_quality() -> None:
    """The better kind mostly stood where few looked: 0.3 * 0.52 < 0.2 * 0.83 plays per tile."""
    matrix, labels = tiles((0.85, 0.1), seed=1)
    worse, better = kinds(fitted(at_place(matrix), labels), matrix)
    assert worse > better
    worse, better = kinds(fitted(matrix, labels), matrix)
    assert worse == pytest.approx(0.2, abs=0.02)
    assert better == pytest.approx(0.3, abs=0.03)


def test_the_learned_examination_is_that_of_the_places() -> None:
    matrix, labels = tiles((0.5, 0.5), seed=2)
    learned = learned_examination(fitted(matrix, labels), matrix, (2, 2))
    assert learned[0, 0] == 1
    np.testing.assert_allclose(learned, EXAMINED, atol=0.05)


def test_the_report_tells_the_truth_relative_to_the_first_place() -> None:
    matrix, labels = tiles((0.5, 0.5), seed=2)
    found = position_bias(fitted(matrix, labels), matrix, [], 0.9 * EXAMINED)
    assert found is not None
    np.testing.assert_allclose(found.true, EXAMINED)
    assert np.shape(found.learned) == (2, 2)


def test_without_a_truth_the_places_are_those_of_the_tiles() -> None:
    matrix, labels = tiles((0.5, 0.5), seed=2)
    ranker = fitted(matrix, labels)
    found = position_bias(ranker, matrix, [], None)
    assert found is not None
    assert (np.shape(found.learned), found.true) == ((2, 2), [])
    assert position_bias(ranker, at_place(matrix), [], None) is None  # nothing to say
    assert position_bias(ranker, matrix[:0], [], None) is None


class Fixed:
    """Scores every member alike."""

    def __init__(self, *scores: float) -> None:
        self._scores = np.array(scores, np.float32)

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.tile(self._scores, (len(user_rows), 1))


def test_both_rankers_are_measured_on_the_same_members(generators: Generators) -> None:
    """Ann has watched t0, Bob t5 and t1, Cyd nothing; Ann would go on to watch t2, the others nothing."""
    cases = generators.cases
    relevant = cases.relevant.tolil()
    relevant[0, 2] = True
    cases = EvaluationSet(cases.watched, relevant.tocsr(), cases.available, cases.user_rows)

    def plays(user_ids: NDArray[np.str_], title_ids: NDArray[np.str_]) -> NDArray[np.float64]:
        return np.where(title_ids == "t2", 0.4, 0.1)

    rows = compare(Fixed(0, 0, 9, 0, 0, 0), Fixed(0, 0, 0, 9, 0, 0), cases, plays, k=1, samples=10, seed=0)
    value = {(row.model, row.metric): (row.value, row.users) for row in rows}
    assert value[TOLD, TRUE_PLAYS] == (pytest.approx(0.4), 3)
    assert value[NOT_TOLD, TRUE_PLAYS] == (pytest.approx(0.1), 3)
    assert value[GAIN, TRUE_PLAYS] == (pytest.approx(0.3), 3)
    assert value[TOLD, "ndcg"] == (1, 1)
    assert value[GAIN, "ndcg"] == (1, 1)

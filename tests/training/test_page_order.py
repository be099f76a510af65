"""Whether the ranker or the mix orders a page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from training.config import TrainingConfig
from training.learning import FittedRanker, fit_ranker_on_window
from training.page_order import PageOrder, choose_order
from training.ranker import Ranker
from training.retrieval import Retrieval, retrieval_as_of
from training.training_data import TrainingData, read_training_data

if TYPE_CHECKING:
    from tests.conftest import TrainedService

CONFIG = TrainingConfig.model_validate(
    {
        "als": {"iterations": 3, "threads": 1}, "ranker": {"trees": 5, "threads": 1}, "ranker_rows": 3000,
        "two_tower": {"epochs": 1, "batch": 128, "uniform_negatives": 64},
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def data(trained_service: TrainedService) -> TrainingData:
    return read_training_data(trained_service.gateway, trained_service.lake, CONFIG)


@pytest.fixture(scope="module")
def retrieval(data: TrainingData) -> Retrieval:
    return retrieval_as_of(data, data.windows.ranker_start, CONFIG)


@pytest.fixture(scope="module")
def fitted(data: TrainingData, retrieval: Retrieval) -> FittedRanker:
    return fit_ranker_on_window(data, retrieval, CONFIG)


class Backwards(Ranker):
    """Says the opposite of what its model says, as a ranker does that has learned it all wrong."""

    def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        return -super().score(matrix)


def test_a_ranker_that_learned_from_impressions_decides(
    data: TrainingData, retrieval: Retrieval, fitted: FittedRanker
) -> None:
    assert fitted.from_impressions
    assert choose_order(data, retrieval, fitted, {}, CONFIG) == PageOrder(ranker_decides=True)


def test_without_impressions_the_better_one_decides(
    data: TrainingData, retrieval: Retrieval, fitted: FittedRanker
) -> None:
    drawn = replace(fitted, from_impressions=False)
    wrong = replace(drawn, ranker=Backwards(fitted.ranker.booster, fitted.ranker.curves))
    chosen = choose_order(data, retrieval, drawn, {}, CONFIG)
    of_wrong = choose_order(data, retrieval, wrong, {}, CONFIG)
    for order in (chosen, of_wrong):
        assert order.ranker_ndcg is not None
        assert order.mix_ndcg is not None
        assert order.surely_ahead is not None
        assert order.surely_ahead < order.ranker_ndcg - order.mix_ndcg
        assert order.ranker_decides == (order.surely_ahead > 0)
    assert chosen.mix_ndcg == of_wrong.mix_ndcg
    assert not of_wrong.ranker_decides

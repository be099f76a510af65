from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xgboost

from feature_repo import schema as s
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.ranking import FIRST_PLACE, RANKING_FEATURES, ranking_features
from serving.members import read_member
from serving.ranking import Ranker, candidate_features


def test_a_candidate_has_the_features_of_its_row_alone_bit_for_bit(small: Any) -> None:
    now = small.time[0]
    member = read_member(small.features, "ana", now)
    catalogue = small.service.state.catalogue
    rows = np.array([7, 159, 3])
    matrix = candidate_features(member, catalogue, rows, epoch_microseconds(now), "tv")
    context = {
        s.REQUEST_TIMESTAMP: np.array([epoch_microseconds(now)]), s.DEVICE_TYPE: np.array(["tv"]),
        s.TWO_TOWER_SCORE: np.array([np.nan], dtype=np.float32), **FIRST_PLACE,
    }  # fmt: skip
    assert matrix.shape == (3, len(RANKING_FEATURES))
    for place, row in enumerate(rows):
        titles = small.features.title_snapshot([f"t{row:03d}"], now).columns
        alone = ranking_features(member.features, titles, context)
        np.testing.assert_array_equal(matrix[place : place + 1], alone)


def test_the_device_and_the_hour_are_those_of_the_request(small: Any) -> None:
    now = small.time[0]
    member = read_member(small.features, "ana", now)
    matrix = candidate_features(
        member, small.service.state.catalogue, np.array([3]), epoch_microseconds(now), ""
    )
    assert matrix[0, RANKING_FEATURES.index("request_hour")] == 20
    assert np.isnan(matrix[0, RANKING_FEATURES.index("device_code")])


def test_scores_equal_those_of_the_booster_that_was_written(contents: Any) -> None:
    matrix = np.random.default_rng(0).random((9, len(RANKING_FEATURES)), dtype=np.float32)
    booster = xgboost.Booster(model_file=bytearray(contents.ranker))
    expected = booster.predict(xgboost.DMatrix(matrix))
    np.testing.assert_array_equal(Ranker.load(contents.ranker).score(matrix), expected)


def test_a_ranker_of_other_columns_is_refused() -> None:
    data = xgboost.DMatrix(np.zeros((4, 3), np.float32), np.array([0, 1, 0, 1]))
    content = bytes(xgboost.train({"nthread": 1}, data, num_boost_round=1).save_raw("ubj"))
    with pytest.raises(ValueError, match=f"ranker: 3 features, expected {len(RANKING_FEATURES)}"):
        Ranker.load(content)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ValueError, match="not a model XGBoost can read"):
        Ranker.load(b"{}")

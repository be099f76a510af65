from __future__ import annotations

import numpy as np
import pytest

from feature_repo.transforms.ranking import PLACE_FEATURES, RANKING_FEATURES
from training.parity.drift import stability_index
from training.reference import RANKING_SCORE, reference, shares_in


def test_shares_are_of_the_bins_between_edges_and_of_what_is_unknown() -> None:
    bins = {"edges": [1.0, 2.0]}
    values = np.array([0.5, 1.0, 1.5, 2.0, 2.5, 9.0, np.nan, np.nan], dtype=np.float32)
    assert shares_in(values, bins).tolist() == [2 / 8, 2 / 8, 2 / 8, 2 / 8]


def test_a_reference_has_every_feature_but_the_place_and_the_score() -> None:
    matrix = np.tile(np.arange(100, dtype=np.float32)[:, None], len(RANKING_FEATURES))
    matrix[:50, 0] = np.nan
    found = reference(matrix, np.full(100, 0.5, np.float32))
    assert set(found) == {*RANKING_FEATURES, RANKING_SCORE} - set(PLACE_FEATURES)
    assert found[RANKING_FEATURES[0]]["unknown"] == 0.5
    assert len(found[RANKING_FEATURES[1]]["edges"]) == 9
    assert found[RANKING_SCORE] == {"edges": [0.5], "shares": [1.0, 0.0], "unknown": 0.0}
    for bins in found.values():
        assert sum(bins["shares"]) + bins["unknown"] == pytest.approx(1)
    assert reference(matrix[:0], np.empty(0, np.float32)) == {}


def test_the_index_is_that_of_the_formula() -> None:
    half, third = np.array([0.5, 0.5]), np.array([0.2, 0.8])
    by_hand = 0.3 * np.log(2.5) - 0.3 * np.log(0.625)
    assert stability_index(half, third) == pytest.approx(by_hand)
    assert stability_index(half, half) == 0

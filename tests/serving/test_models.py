from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from feature_repo.transforms.towers import TITLE_INPUT_DIMENSIONS, item_tower
from serving.models import Neighbours, with_stand_ins

CONTENT = np.eye(5, dtype=np.float32)
FACTORS = np.array([[1, 0], [10, 10], [0.9, 0.1], [-1, 0], [0, 0]], dtype=np.float32)


def test_neighbours_are_ordered_by_direction_and_not_by_fame() -> None:
    rows, cosines = Neighbours(FACTORS, CONTENT).of(0)
    assert rows.tolist() == [2, 1, 3]  # by inner product, the famous title 1 would be first
    assert cosines == pytest.approx([0.9 / np.hypot(0.9, 0.1), np.sqrt(0.5), -1])


def test_a_title_without_a_collaborative_vector_has_neighbours_by_content() -> None:
    content = np.array([[0, 1], [0.6, 0.8], [1, 0], [0, -1], [0.8, 0.6]], dtype=np.float32)
    neighbours = Neighbours(FACTORS, content)
    assert not neighbours.collaborative(4)
    assert neighbours.of(4)[0].tolist() == [1, 2, 0, 3]
    assert neighbours.collaborative(0)
    assert 4 not in neighbours.of(0)[0]


def test_neighbours_asked_for_again_are_remembered() -> None:
    neighbours = Neighbours(FACTORS, CONTENT)
    assert neighbours.of(0) is neighbours.of(0)


def test_a_title_without_factors_gets_a_stand_in_and_the_others_keep_theirs() -> None:
    factors, towers = np.array([[1, 2], [0, 0]], np.float32), np.array([[1, 0], [0, 1]], np.float32)
    content_to_als = np.array([[9, 9], [3, 4], [0.5, -0.5]], np.float32)
    np.testing.assert_array_equal(
        with_stand_ins(factors, towers, content_to_als), np.array([[1, 2], [3.5, 3.5]], np.float32)
    )


def test_a_new_title_is_in_every_index_without_a_training(small: Any) -> None:
    models = small.service.state.models
    inputs = np.random.default_rng(0).random((1, TITLE_INPUT_DIMENSIONS), dtype=np.float32)
    solved = np.full((161, 128), np.nan, dtype=np.float32)
    extended = models.extended(inputs, solved)
    vector = item_tower(models.taste.tower_weights, inputs)[0]
    assert extended.tower_index.search(vector, 1)[0].tolist() == [160]
    assert len(extended.als_index.search(models.title_factors[0], 161)[0]) == 161
    assert len(extended.neighbours.of(160)[0]) == 160
    for charts in (extended.popularity, extended.trending):
        assert {order[-1] for order in charts.orders.values()} == {160}
    assert len(models.tower_vectors) == 160  # the models before are as they were


def test_factors_that_were_solved_since_take_the_place_of_the_stand_in(small: Any) -> None:
    models = small.service.state.models
    solved = np.full((160, 128), np.nan, dtype=np.float32)
    solved[159], solved[3] = 7.0, 5.0
    none = np.empty((0, TITLE_INPUT_DIMENSIONS), np.float32)
    extended = models.extended(none, solved)
    assert (extended.title_factors[159] == 7).all()
    np.testing.assert_array_equal(extended.title_factors[3], models.title_factors[3])  # it has its own
    assert extended.neighbours.collaborative(159)

from __future__ import annotations

import numpy as np
import pytest

from serving.models import Neighbours

FACTORS = np.array([[1, 0], [10, 10], [0.9, 0.1], [-1, 0], [0, 0]], dtype=np.float32)


def test_neighbours_are_ordered_by_direction_and_not_by_fame() -> None:
    rows, cosines = Neighbours(FACTORS).of(0)
    assert rows.tolist() == [2, 1, 3]  # by inner product, the famous title 1 would be first
    assert cosines == pytest.approx([0.9 / np.hypot(0.9, 0.1), np.sqrt(0.5), -1])


def test_a_title_without_a_vector_has_no_neighbours_and_is_none() -> None:
    neighbours = Neighbours(FACTORS)
    assert len(neighbours.of(4)[0]) == 0
    assert 4 not in neighbours.of(0)[0]


def test_neighbours_asked_for_again_are_remembered() -> None:
    neighbours = Neighbours(FACTORS)
    assert neighbours.of(0) is neighbours.of(0)

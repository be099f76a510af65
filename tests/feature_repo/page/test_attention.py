from __future__ import annotations

import numpy as np
import pytest

from feature_repo.page.attention import FIRST_TILE, POSITION_DECAY, ROW_DECAY, attention, row_attention
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.history import examination_probability


def test_attention_falls_from_row_to_row_and_from_tile_to_tile() -> None:
    expected = [
        FIRST_TILE, FIRST_TILE * POSITION_DECAY, FIRST_TILE * POSITION_DECAY**2, FIRST_TILE * ROW_DECAY,
    ]  # fmt: skip
    assert attention([3, 1]).tolist() == pytest.approx(expected)


def test_an_empty_page_gets_none() -> None:
    assert attention([]).tolist() == []
    assert row_attention(0).tolist() == []


def test_the_simulated_service_is_looked_at_by_the_same_law() -> None:
    config = SimulationConfig()
    lengths = [config.row_tiles] * config.page_rows
    np.testing.assert_allclose(attention(lengths), examination_probability(config).ravel())

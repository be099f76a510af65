"""Two experiments at once, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.analysis.interaction import interaction
from experiments.analysis.ratio_metric import Moments, ratio


def cell(rate: float) -> Moments:
    return Moments.of_members(np.array([20 * rate, 20 * rate + 2, 20 * rate - 2]), np.full(3, 20))


def test_effects_that_add_up_do_not_interact() -> None:
    cells = {(0, 0): cell(0.3), (1, 0): cell(0.4), (0, 1): cell(0.5), (1, 1): cell(0.6)}
    assert float(interaction(cells).value) == pytest.approx(0.0)


def test_what_is_over_the_sum_is_the_interaction_and_variances_add() -> None:
    cells = {(0, 0): cell(0.3), (1, 0): cell(0.4), (0, 1): cell(0.5), (1, 1): cell(0.8)}
    found = interaction(cells)
    assert float(found.value) == pytest.approx(0.2)
    assert float(found.variance) == pytest.approx(4 * float(ratio(cell(0.3)).variance))

"""Whether the novelty check tells a lift that wears off from one that stays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from experiments.analysis.novelty import slope, slope_p
from tests.proofs.population import Draw, Population, draws, summed


def trends(
    population: Population, experiments: int, seed: int, lift: float, wears_off: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return slope and p-value of each experiment; ``wears_off``: days in which the lift halves."""
    rng = np.random.default_rng(seed)
    found = [
        trend for draw in draws(population, experiments, rng, lift, wears_off) for trend in _trends(draw)
    ]
    slopes, p_values = np.array(found).T
    return slopes, p_values


def _trends(draw: Draw) -> Iterator[tuple[float, float]]:
    y, n = draw.by_age()
    control, treatment = summed(y, n, ~draw.treated), summed(y, n, draw.treated)
    for place, treated in enumerate(draw.treated):
        found = slope(control[place], treatment[place])
        assert found is not None
        squares = (
            float(((y[place, of] @ weights.y + n[place, of] @ weights.n) ** 2).sum())
            for of, weights in ((~treated, found.control), (treated, found.treatment))
        )
        yield found.value, slope_p(found, *squares)

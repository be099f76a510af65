"""Whether experiments of two layers that get into each other's way are told from those that do not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.analysis.interaction import interaction
from experiments.analysis.ratio_metric import Moments


def interaction_p_values(
    experiments: int, seed: int, together: float, members: int = 4_000
) -> NDArray[np.float64]:
    """Return the p-value of each pair: both lift by 10 %, and by ``together`` on top for members in both."""
    rng = np.random.default_rng(seed)
    return np.array([_pair(rng, together, members) for _ in range(experiments)])


def _pair(rng: np.random.Generator, together: float, members: int) -> float:
    ours, theirs = rng.integers(0, 2, (2, members))
    propensity = rng.beta(4.0, 36.0, members)
    n = rng.poisson(rng.gamma(0.7, 60 / 0.7, members))
    raised = (1 + 0.1 * ours) * (1 + 0.1 * theirs) - 0.01 * ours * theirs + together * ours * theirs
    y = rng.binomial(n, np.minimum(propensity * raised, 1.0))
    cells = {
        (a, b): Moments.of_members(y[(ours == a) & (theirs == b)], n[(ours == a) & (theirs == b)])
        for a in (0, 1)
        for b in (0, 1)
    }
    return float(interaction(cells).p)

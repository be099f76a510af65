"""How often the retention guardrail stops an experiment, looked at daily from when it is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.analysis.retention import retention_change

ARRIVAL_DAYS = 28
"""Members are first exposed evenly over so many days, and so mature over as many."""
MARGIN, LOSS = 0.01, 0.1
"""Those of the default rule."""


def breached(
    experiments: int, seed: int, change: float, members: int, retention: float = 0.6
) -> NDArray[np.bool_]:
    """Return, (experiments, days), whether the guardrail is breached on each day; ``members``: of each arm.

    Treatment's retention is ``retention`` times 1 + ``change``.
    """
    rng = np.random.default_rng(seed)
    shape = (experiments, ARRIVAL_DAYS)
    daily = members // ARRIVAL_DAYS
    matured = np.cumsum(np.full(ARRIVAL_DAYS, daily))
    control = rng.binomial(daily, retention, shape).cumsum(axis=1)
    treatment = rng.binomial(daily, retention * (1 + change), shape).cumsum(axis=1)
    return np.array(
        [
            [_is_breached((int(c), int(t)), int(m)) for c, t, m in zip(*row, matured, strict=True)]
            for row in zip(control, treatment, strict=True)
        ]
    )


def _is_breached(retained: tuple[int, int], matured: int) -> bool:
    found = retention_change(retained, (matured, matured), MARGIN, LOSS)
    return found is not None and found.upper < -MARGIN

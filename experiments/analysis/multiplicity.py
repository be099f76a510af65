"""Many experiments at once: Holm's correction, so that a single false promotion stays improbable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from statsmodels.stats.multitest import multipletests


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted by Holm (1979), in the order given."""
    if not p_values:
        return []
    return [float(p) for p in multipletests(p_values, method="holm")[1]]


def holm_levels(p_values: Sequence[float], alpha: float) -> list[float]:
    """Return the level at which Holm tests each: alpha over the number of those not smaller, and itself."""
    order = np.argsort(np.asarray(p_values), kind="stable")
    levels = np.empty(len(p_values))
    levels[order] = alpha / np.arange(len(p_values), 0, -1)
    return [float(level) for level in levels]

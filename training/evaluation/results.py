"""Evaluation results: one row per number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One number. ``k`` is None for whole-ranking metrics; ``low`` and ``high`` bound the 95 % interval."""

    model: str
    segment: str
    metric: str
    k: int | None
    value: float
    users: int
    low: float | None = None
    high: float | None = None


def with_interval(row: MetricRow, values: NDArray[np.float64], samples: int, seed: int) -> MetricRow:
    """Add the 95 % percentile bootstrap interval of the mean of ``values``, drawn over members.

    ``samples`` of 0 leaves the row as it is.
    """
    if samples == 0:
        return row
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(samples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return replace(row, low=float(low), high=float(high))


def to_json(rows: Sequence[MetricRow]) -> list[dict[str, Any]]:
    """Return rows as JSON-ready dictionaries."""
    return [asdict(row) for row in rows]

"""What a simulation measured, beside what it should."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from rich.table import Table
from statsmodels.stats.proportion import proportion_confint


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: a measured value with its 95 % interval, and what is expected of it, in words."""

    name: str
    value: float
    low: float
    high: float
    expected: str


def rate(name: str, happened: ArrayLike, expected: str) -> Finding:
    """Return how often something happened, with its Clopper-Pearson interval."""
    events = np.asarray(happened, np.bool_)
    low, high = proportion_confint(int(events.sum()), events.size, method="beta")
    return Finding(name, float(events.mean()), float(low), float(high), expected)


def mean(name: str, values: ArrayLike, expected: str) -> Finding:
    """Return a mean with its normal interval."""
    numbers = np.asarray(values, np.float64)
    margin = 1.96 * float(numbers.std(ddof=1)) / numbers.size**0.5
    return Finding(
        name, float(numbers.mean()), float(numbers.mean()) - margin, float(numbers.mean()) + margin, expected
    )


def table(title: str, findings: list[Finding]) -> Table:
    """Lay findings out for people."""
    shown = Table(title=title, title_justify="left")
    shown.add_column("what", overflow="fold")
    for column in ("measured", "95 % interval"):
        shown.add_column(column, justify="right", no_wrap=True)
    shown.add_column("expected", overflow="fold")
    for one in findings:
        shown.add_row(one.name, f"{one.value:.4f}", f"{one.low:.4f} to {one.high:.4f}", one.expected)
    return shown

"""Whether predicted probabilities come true: predicted beside observed, by quantile of the prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class CalibrationCurve:
    """One entry per quantile bin, lowest predictions first: mean prediction, mean outcome, rows."""

    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    rows: tuple[int, ...]

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of the two, weighted by rows (Naeini et al. 2015)."""
        return float(np.average(np.abs(np.subtract(self.predicted, self.observed)), weights=self.rows))


def calibration_curve(
    predicted: NDArray[np.floating], observed: NDArray[np.floating], bins: int = 10
) -> CalibrationCurve:
    """Sort rows by ``predicted`` (0 to 1) and compare the means of ``bins`` parts of equal size.

    ``observed``: 0 to 1, [n]. With fewer rows than bins each row is a bin.
    Raises ``ValueError`` where the lengths differ or there is no row.
    """
    if len(predicted) != len(observed) or len(predicted) == 0:
        counts = f"{len(predicted)} and {len(observed)} rows"
        raise ValueError(
            f"predicted and observed have {counts}; give one outcome per prediction, at least one"
        )
    order = np.argsort(predicted, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    return CalibrationCurve(
        tuple(float(predicted[part].mean(dtype=np.float64)) for part in parts),
        tuple(float(observed[part].mean(dtype=np.float64)) for part in parts),
        tuple(len(part) for part in parts),
    )

"""Whether two experiments of different layers get into each other's way."""

from __future__ import annotations

from experiments.analysis.ratio_metric import Estimate, Moments, ratio


def interaction(cells: dict[tuple[int, int], Moments]) -> Estimate:
    """Return how much an arm's difference changes with the other experiment's arm, clustered by member.

    ``cells`` holds the members by (our arm, their arm), 0 for control and 1 for treatment:
    (R11 - R01) - (R10 - R00). The cells share no member, so that their variances add.
    """
    r = {cell: ratio(moments) for cell, moments in cells.items()}
    value = (r[1, 1].value - r[0, 1].value) - (r[1, 0].value - r[0, 0].value)
    return Estimate(value, r[1, 1].variance + r[0, 1].variance + r[1, 0].variance + r[0, 0].variance)

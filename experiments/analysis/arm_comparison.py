"""One arm against control: what each method says, None where it cannot say anything yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from experiments.analysis.cuped import MemberSums, adjusted
from experiments.analysis.novelty import slope, slope_p
from experiments.analysis.proportions import naive_z_test
from experiments.analysis.question import Question
from experiments.analysis.ratio_metric import (
    Estimate,
    Moments,
    Numbers,
    design_effect,
    difference,
    log_ratio,
    ratio,
)
from experiments.analysis.results import Adjusted, Effect, Look, Naive, Novelty
from experiments.analysis.sequential import (
    always_valid_p,
    confidence_sequence,
    looked_at,
    mixture_variance,
)
from experiments.definitions import Experiment, Metric

_COLUMNS: Final[dict[Metric, tuple[str, str]]] = {
    "play_rate": ("plays", "impressions"), "completion_rate": ("completions", "plays"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The log ratio after each day, NaN where there is too little to look at, and how it is looked at."""

    ratio: Estimate
    mixture: float
    alpha: float

    @property
    def p(self) -> float:
        """The always-valid p-value as of now; 1 before the first look."""
        return float(always_valid_p(self.ratio, self.mixture)[-1])

    def bounds_at_end(self, level: float) -> tuple[float, float] | None:
        """Return the lift's sequence of a level as of now, None before the first look."""
        low, high = confidence_sequence(self.ratio, self.mixture, level)
        return (_lift(low[-1]), _lift(high[-1])) if np.isfinite(low[-1]) else None


def track(
    control: Moments, treatment: Moments, planned: tuple[float, float], experiment: Experiment
) -> Track:
    """Follow the lift over the days of the moments; ``planned``: denominators at the planned size."""
    alpha = experiment.definition.rule.alpha
    found = log_ratio(ratio(control), ratio(treatment))
    looks = looked_at(control, treatment) & (found.variance > 0)
    seen = Estimate(np.where(looks, found.value, np.nan), np.where(looks, found.variance, np.nan))
    rate = float((control.y[-1] + treatment.y[-1]) / max(control.n[-1] + treatment.n[-1], 1.0))
    usable = rate if 0 < rate < 1 else 0.5  # no look is possible, so that the value does not matter
    return Track(seen, mixture_variance(usable, planned, alpha), alpha)


def looks_of(track: Track, days: Sequence[date]) -> tuple[Look, ...]:
    """Return the days that could be looked at."""
    low, high = confidence_sequence(track.ratio, track.mixture, track.alpha)
    p = always_valid_p(track.ratio, track.mixture)
    return tuple(
        Look(day=day, lift=_lift(track.ratio.value[n]), low=_lift(low[n]), high=_lift(high[n]), p=p[n])
        for n, day in enumerate(days)
        if np.isfinite(low[n])
    )


def naive(control: Moments, treatment: Moments) -> Naive | None:
    """Return the two-proportion z-test over impressions."""
    found = naive_z_test((float(control.y), float(treatment.y)), (float(control.n), float(treatment.n)))
    return None if found is None else Naive(z=found[0], p=found[1])


def effect(metric: Metric, control: Moments, treatment: Moments, alpha: float) -> Effect | None:
    """Return difference and lift with their intervals; None without plays in both or spread in either."""
    before, after = ratio(control), ratio(treatment)
    change, log = difference(before, after), log_ratio(before, after)
    if not (np.isfinite(log.value) and log.variance > 0):
        return None
    (low, high), (lift_low, lift_high) = change.interval(alpha), log.interval(alpha)
    of_design = float(design_effect(control))
    return Effect(
        metric=metric, control=float(before.value), treatment=float(after.value),
        difference=float(change.value), difference_low=float(low), difference_high=float(high),
        lift=_lift(log.value), lift_low=_lift(lift_low), lift_high=_lift(lift_high),
        z=float(log.z), p=float(log.p), design_effect=of_design if np.isfinite(of_design) else None,
    )  # fmt: skip


def novelty(question: Question, by_age: Moments, arm: int, metric: Metric) -> Novelty | None:
    """Return the trend of the lift over the days since first exposure; ``by_age``: (arms, days)."""
    found = slope(by_age[0], by_age[arm])
    if found is None:
        return None
    squares = (
        question.squared_moves(place, one.y, one.n, metric)
        for place, one in ((0, found.control), (arm, found.treatment))
    )
    return Novelty(slope=found.value, p=slope_p(found, *squares), days=found.days)


def pre_period_adjusted(members: pa.Table, experiment: Experiment, arm: int) -> Adjusted | None:
    """Return the lift adjusted by the pre-period; None where no member has one or there are too few."""
    rule, arms = experiment.definition.rule, experiment.definition.arms
    sums = [_member_sums(members, f"{experiment.name}/{arms[n].name}", rule.metric) for n in (0, arm)]
    known = np.concatenate([one.known for one in sums])
    if not known.any() or min(len(one.y) for one in sums) < 2 or min(one.n.sum() for one in sums) == 0:
        return None
    plain = log_ratio(*(ratio(Moments.of_members(one.y, one.n)) for one in sums))
    better = log_ratio(*adjusted(sums))
    if not (np.isfinite(better.value) and plain.variance > 0):
        return None
    low, high = better.interval(rule.alpha)
    return Adjusted(
        lift=_lift(better.value), low=_lift(low), high=_lift(high),
        variance_ratio=float(better.variance / plain.variance), members_known=float(known.mean()),
    )  # fmt: skip


def _lift(log: Numbers) -> float:
    return float(np.expm1(log))


def _member_sums(members: pa.Table, label: str, metric: Metric) -> MemberSums:
    rows = members.filter(pc.equal(members["arm"], label))
    y, n = _COLUMNS[metric]

    def column(name: str) -> NDArray[np.float64]:
        return np.asarray(rows[name].to_numpy(), np.float64)

    known = rows["has_pre_period"].to_numpy().astype(np.bool_)
    return MemberSums(column(y), column(n), column(f"pre_{y}"), column(f"pre_{n}"), known)

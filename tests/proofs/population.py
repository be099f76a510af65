"""Simulated experiments whose truth is known: members differ, and their impressions are not independent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.analysis.ratio_metric import Moments

_AT_ONCE: Final = 1_500_000
"""Member-days that are held at a time."""


@dataclass(frozen=True, slots=True)
class Population:
    """How members behave.

    Each has an activity of their own (gamma of ``activity_shape``, mean ``impressions_a_day``), on a day of
    which they are shown a Poisson number of tiles, and a propensity of their own to play one (beta of mean
    ``rate``; the larger ``concentration``, the more alike they are). A part ``late`` of them joins on any
    later day; of the others the busy ones come first, as on a real service.
    """

    members: int = 2_000
    days: int = 28
    impressions_a_day: float = 4.0
    activity_shape: float = 0.7
    rate: float = 0.1
    concentration: float = 40.0
    late: float = 0.5
    late_busier: float = 1.0
    """How many times as active those who join late are."""


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """Simulated experiments: plays and impressions (experiments, members, days), and who is in treatment."""

    plays: NDArray[np.int64]
    impressions: NDArray[np.int64]
    treated: NDArray[np.bool_]

    def course(self) -> tuple[Moments, Moments]:
        """Return the sums of control and treatment up to each day, each (experiments, days)."""
        y, n = (np.cumsum(sums, axis=2, dtype=np.float64) for sums in (self.plays, self.impressions))
        return summed(y, n, ~self.treated), summed(y, n, self.treated)

    def by_age(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return plays and impressions with days counted from each member's first, likewise."""
        days = self.plays.shape[2]
        first = np.argmax(self.impressions > 0, axis=2)
        places = first[:, :, None] + np.arange(days)
        at, inside = np.minimum(places, days - 1), (places < days).astype(np.float64)
        y, n = (np.take_along_axis(sums, at, axis=2) * inside for sums in (self.plays, self.impressions))
        return y, n


def draws(
    population: Population,
    experiments: int,
    rng: np.random.Generator,
    lift: float = 0.0,
    wears_off: float | None = None,
) -> Iterator[Draw]:
    """Simulate experiments, some at a time; treatment multiplies every propensity by 1 + ``lift``.

    With ``wears_off`` the lift halves in that many days.
    """
    at_once = max(1, _AT_ONCE // (population.members * population.days))
    for begin in range(0, experiments, at_once):
        yield _draw(population, min(at_once, experiments - begin), rng, lift, wears_off)


def _draw(
    p: Population, experiments: int, rng: np.random.Generator, lift: float, wears_off: float | None
) -> Draw:
    shape = (experiments, p.members)
    activity = rng.gamma(p.activity_shape, p.impressions_a_day / p.activity_shape, shape)
    propensity = rng.beta(p.rate * p.concentration, (1 - p.rate) * p.concentration, shape)
    treated = rng.random(shape) < 0.5
    late = rng.random(shape) < p.late
    joins = np.where(late, rng.integers(0, p.days, shape), 0)
    activity *= np.where(late, p.late_busier, 1.0)
    day = np.arange(p.days)
    impressions = rng.poisson(activity[:, :, None] * (day >= joins[:, :, None]))
    still = np.ones(p.days) if wears_off is None else 0.5 ** (day / wears_off)
    raised = 1 + lift * treated[:, :, None] * still
    plays = rng.binomial(impressions, np.minimum(propensity[:, :, None] * raised, 1.0))
    return Draw(plays, impressions, treated)


def summed(y: NDArray[np.float64], n: NDArray[np.float64], of: NDArray[np.bool_]) -> Moments:
    """Return the sums over the members of an arm, (experiments, days)."""
    y, n = y * of[:, :, None], n * of[:, :, None]
    products = (np.einsum("emt,emt->et", a, b) for a, b in ((y, y), (y, n), (n, n)))
    return Moments((n > 0).sum(axis=1).astype(np.float64), y.sum(axis=1), n.sum(axis=1), *products)

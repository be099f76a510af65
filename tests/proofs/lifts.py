"""What the tests of a lift say of simulated experiments, day by day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from experiments.analysis.ratio_metric import Estimate, Moments, design_effect, log_ratio, ratio
from experiments.analysis.sequential import (
    always_valid_p,
    confidence_sequence,
    looked_at,
    mixture_variance,
)
from tests.proofs.population import Draw, Population, draws

ALPHA: Final = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """By experiment, whether each way of testing rejected "no lift", and whether intervals held the truth."""

    naive: NDArray[np.bool_]
    """The two-proportion z-test over impressions, once at the end."""
    fixed: NDArray[np.bool_]
    """The clustered test, once at the end."""
    fixed_peeked: NDArray[np.bool_]
    """The clustered test, looked at daily and stopped at the first rejection."""
    sequential: NDArray[np.bool_]
    """The confidence sequence, looked at daily."""
    fixed_covers: NDArray[np.bool_]
    sequence_covers: NDArray[np.bool_]
    """The truth lies in the sequence at every look."""
    lift: NDArray[np.float64]
    """As estimated at the end."""
    design_effect: NDArray[np.float64]
    """Mean of both arms."""
    p: NDArray[np.float64]
    """Always valid, as of the end."""
    days_to_stop: NDArray[np.float64]
    """Looks until the sequence left 0 out; NaN where it never did."""

    @classmethod
    def together(cls, parts: Iterable[Judged]) -> Judged:
        """Return several as one."""
        parts = list(parts)
        return Judged(*(np.concatenate([getattr(one, name) for one in parts]) for name in cls.__slots__))


def judged(population: Population, experiments: int, seed: int, lift: float = 0.0) -> Judged:
    """Simulate experiments and test each."""
    rng = np.random.default_rng(seed)
    return Judged.together(_judge(draw, lift) for draw in draws(population, experiments, rng, lift))


def _judge(draw: Draw, lift: float) -> Judged:
    truth = np.log1p(lift)
    control, treatment = draw.course()
    looks = looked_at(control, treatment)
    seen = log_ratio(ratio(control), ratio(treatment))
    log = Estimate(np.where(looks, seen.value, np.nan), np.where(looks, seen.variance, np.nan))
    end = Estimate(log.value[:, -1], log.variance[:, -1])
    mixture = _mixture(control[:, -1], treatment[:, -1])
    low, high = confidence_sequence(log, mixture, ALPHA)
    p = always_valid_p(log, mixture)
    stopped = p <= ALPHA
    fixed_low, fixed_high = end.interval(ALPHA)
    first = np.where(stopped.any(axis=1), stopped.argmax(axis=1) + 1.0, np.nan)
    return Judged(
        naive=_naive_p(control[:, -1], treatment[:, -1]) <= ALPHA,
        fixed=end.p <= ALPHA,
        fixed_peeked=(log.p <= ALPHA).any(axis=1),
        sequential=stopped[:, -1],
        fixed_covers=(fixed_low <= truth) & (truth <= fixed_high),
        sequence_covers=(((low <= truth) & (truth <= high)) | ~looks).all(axis=1),
        lift=np.expm1(end.value),
        design_effect=(design_effect(control[:, -1]) + design_effect(treatment[:, -1])) / 2,
        p=p[:, -1],
        days_to_stop=first,
    )


def _mixture(control: Moments, treatment: Moments) -> NDArray[np.float64]:
    """The planned size is that of the last day, (experiments, 1)."""
    rates = (control.y + treatment.y) / (control.n + treatment.n)
    sizes = zip(control.n, treatment.n, strict=True)
    found = [mixture_variance(rate, size, ALPHA) for rate, size in zip(rates, sizes, strict=True)]
    return np.asarray(found)[:, None]


def _naive_p(control: Moments, treatment: Moments) -> NDArray[np.float64]:
    """The two-proportion z-test, as :func:`proportions.naive_z_test`, for many at once."""
    pooled = (control.y + treatment.y) / (control.n + treatment.n)
    error = np.sqrt(pooled * (1 - pooled) * (1 / control.n + 1 / treatment.n))
    z = (treatment.y / treatment.n - control.y / control.n) / error
    return np.asarray(2 * norm.sf(np.abs(z)))

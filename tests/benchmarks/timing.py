"""Wall-clock times of repeated calls, and what is kept of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final, TypeVar

import numpy as np
from numpy.typing import ArrayLike

Input = TypeVar("Input")

WARM_UP_CALLS: Final = 20
_SLOW_SHARE: Final = 25
_FEWEST_SLOW_CALLS: Final = 5


@dataclass(frozen=True, slots=True)
class Effort:
    """How many calls are measured: ``calls`` of what takes milliseconds, fewer of what takes longer."""

    calls: int = 500

    @property
    def slow_calls(self) -> int:
        """Calls of what takes a good part of a second, such as the naive page."""
        return max(_FEWEST_SLOW_CALLS, self.calls // _SLOW_SHARE)


@dataclass(frozen=True, slots=True)
class Timing:
    """Median and 99th percentile of ``n`` calls, in milliseconds."""

    p50_ms: float
    p99_ms: float
    n: int


def summarise(milliseconds: ArrayLike) -> Timing:
    """Summarise single times, percentiles by linear interpolation; raises ``ValueError`` for none."""
    times = np.asarray(milliseconds, dtype=np.float64)
    if times.size == 0:
        raise ValueError("no times to summarise: measure at least one call")
    p50, p99 = np.percentile(times, [50, 99])
    return Timing(float(p50), float(p99), int(times.size))


def time_calls(
    work: Callable[[Input], object],
    inputs: Sequence[Input],
    calls: int,
    warm_up: int = WARM_UP_CALLS,
    clock: Callable[[], float] = perf_counter,
) -> Timing:
    """Time ``calls`` calls of ``work``, over ``inputs`` in turn, after ``warm_up`` that do not count.

    ``clock`` answers seconds. The inputs vary, so that no cache sees one of them only.
    """
    for i in range(warm_up):
        work(inputs[i % len(inputs)])
    milliseconds = []
    for i in range(calls):
        value = inputs[i % len(inputs)]
        begin = clock()
        work(value)
        milliseconds.append((clock() - begin) * 1e3)
    return summarise(milliseconds)

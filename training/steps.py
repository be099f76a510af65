"""What a pipeline's steps cost: seconds, and the highest memory each reached."""

from __future__ import annotations

import ctypes
import gc
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from training.report import StepTiming

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


class StepRecorder:
    """Times steps and tells a listener of each that begins and ends."""

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce
        self.costs: list[StepTiming] = []

    @property
    def peak_mib(self) -> float:
        """The most memory that this process has held, steps that did not end included."""
        return max([_peak_mib(), *(cost.peak_mib or 0.0 for cost in self.costs)])

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Record the block as a step; a step that raises is not recorded."""
        self._announce(f"{name} ...")
        _reset_peak()
        began = time.perf_counter()
        yield
        cost = StepTiming(name, time.perf_counter() - began, _peak_mib())
        _give_back()
        self.costs.append(cost)
        self._announce(f"{name}: {cost.seconds:.1f} s, peak {cost.peak_mib:,.0f} MiB")


def _give_back() -> None:
    """Return to the system what the step needs no more: allocators keep it, and the next step adds to it."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is not None:
        trim(0)


def _reset_peak() -> None:
    """Linux can start the peak anew; elsewhere the peak is that of the process so far."""
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return


def _peak_mib() -> float:
    try:
        line = next(entry for entry in _STATUS.read_text().splitlines() if entry.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return int(line.split()[1]) / 1024

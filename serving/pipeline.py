"""Stages, and the run that times them, catches their failures and names what was missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Generic, Protocol, TypeVar

import structlog

Input = TypeVar("Input")
Output = TypeVar("Output")

_log = structlog.get_logger(__name__)


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Stage(Generic[Input, Output]):
    """One step of a page.

    ``work`` does it; ``fallback`` answers where it failed, or was switched off by ``enabled``.
    ``budget_ms`` is the median time it should take (longer is counted, not interrupted).
    """

    name: str
    work: Callable[[Input], Output]
    fallback: Callable[[Input], Output]
    budget_ms: float
    enabled: Callable[[Input], bool] = _always


class StageObserver(Protocol):
    """Where a run reports to: the metrics."""

    def stage_finished(self, name: str, seconds: float, budget_ms: float) -> None:
        """A stage took so long."""

    def stage_failed(self, name: str) -> None:
        """A stage raised, and its fallback answered."""


@dataclass(slots=True)
class Run:
    """One page's way through its stages."""

    observer: StageObserver
    timings: list[tuple[str, float]] = field(default_factory=list)
    """Stage and milliseconds, in order."""
    degraded: list[str] = field(default_factory=list)
    """Stages that failed, in order."""

    def through(self, stage: Stage[Input, Output], value: Input) -> Output:
        """Run one stage; what it raises is logged with its trace, counted and answered by the fallback."""
        begin = perf_counter()
        try:
            answer = stage.work(value) if stage.enabled(value) else stage.fallback(value)
        except Exception:  # a page must come out, whatever is wrong in here
            _log.exception("stage failed", stage=stage.name)
            self.degraded.append(stage.name)
            self.observer.stage_failed(stage.name)
            answer = stage.fallback(value)
        seconds = perf_counter() - begin
        self.timings.append((stage.name, seconds * 1e3))
        self.observer.stage_finished(stage.name, seconds, stage.budget_ms)
        return answer

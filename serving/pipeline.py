"""Stages, and the run that times them, catches their failures and names what was missing."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final, Generic, Protocol, TypeVar

import structlog

from serving.breaker import CircuitOpenError

Input = TypeVar("Input")
Output = TypeVar("Output")

SHED: Final = "shed"
"""Left out of a page that was made lean, as too many were wanted at once."""
LATE: Final = "late"
"""Left out of a page that had taken its time already."""

_log = structlog.get_logger(__name__)
_stage_ends: ContextVar[float] = ContextVar("stage_ends", default=float("inf"))
"""When the stage that this thread is in is given up, by ``perf_counter``."""


class StageLateError(RuntimeError):
    """A stage had steps left when its time was over."""


def between_steps() -> None:
    """Give up the stage under way where its time is over; a stage of several steps calls it between them.

    Raises :class:`StageLateError`, which its run answers as it answers a failure. A single step, one call of
    numpy or of the model, cannot be interrupted.
    """
    if perf_counter() >= _stage_ends.get():
        raise StageLateError("its time is over")


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rung(Generic[Input, Output]):
    """A second way to a stage's answer, which may fail as well; ``name`` says what it is made of."""

    name: str
    work: Callable[[Input], Output]


@dataclass(frozen=True, slots=True)
class Stage(Generic[Input, Output]):
    """One step of a page.

    ``work`` does it; where it failed the ``rungs`` are tried in their order, then ``fallback`` answers, as it
    does where the stage was switched off by ``enabled``. ``budget_ms`` is the median time it should take
    (longer is counted; a run's ``stage_ms`` ends it). ``costly`` ones are left out of pages that are late
    or lean.
    """

    name: str
    work: Callable[[Input], Output]
    fallback: Callable[[Input], Output]
    budget_ms: float
    enabled: Callable[[Input], bool] = _always
    rungs: tuple[Rung[Input, Output], ...] = ()
    costly: bool = False


class StageObserver(Protocol):
    """Where a run reports to: the metrics."""

    def stage_finished(self, name: str, seconds: float, budget_ms: float) -> None:
        """A stage took so long."""

    def stage_failed(self, name: str) -> None:
        """A stage raised, and something else answered."""

    def fell_back(self, rung: str) -> None:
        """A page says ``rung`` among what degraded it."""


@dataclass(slots=True)
class Run:
    """One page's way through its stages.

    A ``lean`` page leaves out the costly stages; so does one that has taken ``page_ms`` already. A stage
    that has taken ``stage_ms`` is given up between two of its steps.
    """

    observer: StageObserver
    lean: bool = False
    page_ms: float = float("inf")
    stage_ms: float = float("inf")
    timings: list[tuple[str, float]] = field(default_factory=list)
    """Stage and milliseconds, in order."""
    degraded: list[str] = field(default_factory=list)
    """Stages that failed, in order: ``stage``, or ``stage:rung`` where not the last resort answered."""
    begun: float = field(default_factory=perf_counter)

    def through(self, stage: Stage[Input, Output], value: Input) -> Output:
        """Run one stage; what it raises is logged with its trace, counted and answered by the next rung."""
        begin = perf_counter()
        answer = self._answer(stage, value)
        seconds = perf_counter() - begin
        self.timings.append((stage.name, seconds * 1e3))
        self.observer.stage_finished(stage.name, seconds, stage.budget_ms)
        return answer

    @property
    def hurry(self) -> str:
        """Why costly stages are left out from here on: ``shed``, ``late``, or ``""`` where they are not."""
        if self.lean:
            return SHED
        return LATE if (perf_counter() - self.begun) * 1e3 >= self.page_ms else ""

    def degrade(self, rung: str) -> None:
        """Say that the page is less than it could be."""
        self.degraded.append(rung)
        self.observer.fell_back(rung)

    def _in_time(self, stage: Stage[Input, Output], value: Input) -> Output:
        ends = _stage_ends.set(perf_counter() + self.stage_ms / 1e3)
        try:
            return stage.work(value)
        finally:
            _stage_ends.reset(ends)

    def _answer(self, stage: Stage[Input, Output], value: Input) -> Output:
        last = stage.name
        try:
            if not stage.enabled(value):
                return stage.fallback(value)
            if not (stage.costly and self.hurry):
                return self._in_time(stage, value)
        except StageLateError:
            self.observer.stage_failed(stage.name)
            last = f"{stage.name}:{LATE}"
        except Exception as error:  # a page must come out, whatever is wrong in here
            if not isinstance(error, CircuitOpenError):  # the breaker has said so once
                _log.exception("stage failed", stage=stage.name)
            self.observer.stage_failed(stage.name)
        else:
            self.degrade(f"{stage.name}:{self.hurry}")
            return stage.fallback(value)
        for rung in stage.rungs:
            try:
                answer = rung.work(value)
            except Exception as error:  # the next one may do
                if not isinstance(error, LookupError):
                    _log.exception("rung failed", stage=stage.name, rung=rung.name)
                continue
            self.degrade(f"{stage.name}:{rung.name}")
            return answer
        self.degrade(last)
        return stage.fallback(value)

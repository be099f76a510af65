"""A circuit breaker: what does not answer is left alone for a while, and nobody waits for it meanwhile.

After Nygard, "Release It!" (2007), ch. 5: closed, open after some failures in a row, half-open after a pause,
when one call may try.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final, TypeVar

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError, TimeoutError as RedisTimeoutError

Answer = TypeVar("Answer")
Ticks = Callable[[], float]
"""Returns seconds that never jump, from any beginning."""

UNREACHABLE: Final = (OSError, RedisConnectionError, RedisTimeoutError)
"""What a call raises where nobody answers. Whoever answers nonsense for one member answers others well."""

_log = structlog.get_logger(__name__)


class CircuitOpenError(RuntimeError):
    """The call was not made: what it asks did not answer lately."""


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """``failures`` in a row open it for ``pause_seconds``; a call that took ``slow_seconds`` is one, too."""

    failures: int = 3
    slow_seconds: float = 0.1
    pause_seconds: float = 1.0


class CircuitBreaker:
    """Guards calls to one thing that may not answer. Thread-safe; holds no lock while a call runs."""

    def __init__(
        self,
        name: str,
        settings: BreakerSettings | None = None,
        counted: tuple[type[Exception], ...] = UNREACHABLE,
        ticks: Ticks = time.monotonic,
        changed: Callable[[str, bool], None] = lambda _name, _open: None,
    ) -> None:
        """``counted`` are the failures; others pass. ``changed`` is told (name, open) of each change."""
        self._name, self._counted, self._ticks, self._changed = name, counted, ticks, changed
        self._settings = BreakerSettings() if settings is None else settings
        self._lock = Lock()
        self._failed = 0
        self._opened_at: float | None = None
        self._trying_since: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are refused, but for one that tries after each pause."""
        return self._opened_at is not None

    def call(self, work: Callable[[], Answer]) -> Answer:
        """Do ``work``; raises :class:`CircuitOpenError` without trying where the breaker is open."""
        begin = self._admit()
        try:
            answer = work()
        except self._counted:
            self._note(failed=True)
            raise
        except Exception:
            self._note(failed=False)
            raise
        self._note(failed=self._ticks() - begin >= self._settings.slow_seconds)
        return answer

    def _admit(self) -> float:
        now, pause = self._ticks(), self._settings.pause_seconds
        with self._lock:
            if self._opened_at is None:
                return now
            # A try that never came back must not keep the breaker open for good.
            latest = self._opened_at if self._trying_since is None else self._trying_since
            if now - latest < pause:
                raise CircuitOpenError(
                    f"{self._name} did not answer lately; it is tried again every {pause} s"
                )
            self._trying_since = now
            return now

    def _note(self, failed: bool) -> None:
        with self._lock:
            was_open = self._opened_at is not None
            self._failed = self._failed + 1 if failed else 0
            if not failed:
                self._opened_at = None
            elif was_open or self._failed >= self._settings.failures:
                self._opened_at = self._ticks()
            self._trying_since = None
            is_open = self._opened_at is not None
        if is_open != was_open:
            _log.warning("circuit breaker", of=self._name, open=is_open)
            self._changed(self._name, is_open)

"""The event log as requests write to it: opened at the first use, left alone while it does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Lock

from feature_repo.stream.event_log import EventLog, EventLogError, LogRecord
from serving.breaker import BreakerSettings, CircuitBreaker, CircuitOpenError, Ticks

ANSWER_SECONDS = 0.5
"""How long the log may take for one answer. A request asks once, so that it knows within a second."""


class EventIntake:
    """Appends to the log that ``open_log`` opens, which raises ``EventLogError`` where it is away."""

    def __init__(
        self,
        open_log: Callable[[], EventLog],
        changed: Callable[[str, bool], None] | None = None,
        ticks: Ticks = time.monotonic,
    ) -> None:
        self._open_log = open_log
        self._log: EventLog | None = None
        self._opening = Lock()
        settings = BreakerSettings(slow_seconds=2 * ANSWER_SECONDS)
        self._breaker = CircuitBreaker(
            "event log", settings, (EventLogError,), ticks, changed or (lambda _name, _open: None)
        )

    @property
    def log(self) -> EventLog:
        """The log, opened at the first call that finds it there; raises ``EventLogError`` elsewhere.

        While one call opens it the others are refused, not kept waiting in a row.
        """
        if self._log is not None:
            return self._log
        if not self._opening.acquire(blocking=False):
            raise EventLogError("the event log is being opened")
        try:
            if self._log is None:
                self._log = self._open_log()
            return self._log
        finally:
            self._opening.release()

    def append(self, records: Sequence[LogRecord]) -> None:
        """Keep the records; raises ``EventLogError`` where nothing is known to be kept."""
        try:
            self._breaker.call(lambda: self.log.append(records))
        except CircuitOpenError as error:
            raise EventLogError(str(error)) from error

    def close(self) -> None:
        """Let go of the connections."""
        if self._log is not None:
            self._log.close()

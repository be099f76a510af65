"""Asks the feature store every few seconds whether it is there, and how fresh what it holds is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog

EVERY: Final = timedelta(seconds=5)
"""With a read given up after 2 seconds, a store that is gone is noticed within 15 (spec, section 8)."""

_log = structlog.get_logger(__name__)


Views = Mapping[str, datetime]
"""Of when the newest rows of each feature view are."""


class StoreWatch:
    """Tells ``changed`` whether the store answers, at every look; logs when that has changed.

    While it answers, ``fresh`` is told what ``newest`` returns.
    """

    def __init__(
        self,
        healthy: Callable[[], bool],
        changed: Callable[[bool], None],
        newest: Callable[[], Views],
        fresh: Callable[[Views], None],
        every: timedelta = EVERY,
    ) -> None:
        self._healthy, self._changed, self._every = healthy, changed, every
        self._newest, self._fresh = newest, fresh
        self._was: bool | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def look(self) -> bool:
        """Look once; return whether the store answers. Never raises."""
        try:
            answers = self._healthy()
        except Exception:  # whatever the store raises means the same here
            answers = False
        if answers != self._was:
            _log.log(20 if answers else 40, "feature store", answers=answers)
        self._was = answers
        self._changed(answers)
        if answers:
            self._look_at_views()
        return answers

    def _look_at_views(self) -> None:
        try:
            newest = self._newest()
        except Exception:  # it went away between the two questions: the next look tells
            return
        self._fresh(newest)

    def start(self) -> None:
        """Look now, and from now on in the background."""
        self.look()
        self._thread = threading.Thread(target=self._keep_looking, name="store-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the background looks."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _keep_looking(self) -> None:
        while not self._stopping.wait(self._every.total_seconds()):
            self.look()

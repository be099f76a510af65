"""How many pages a worker makes at once: above a first limit leaner ones, above a second none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from serving.settings import LimitSettings


class OverloadedError(RuntimeError):
    """Too many pages are wanted at once; ask again in a second."""


class LoadGate:
    """Counts the pages in progress of one worker, and the requests that wait for one of its threads."""

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits
        self._lock = Lock()
        self._in_progress = 0
        self._waiting: Callable[[], int] = lambda: 0

    def watch(self, waiting: Callable[[], int]) -> None:
        """Count those that ``waiting`` returns, too: pages in progress are never more than threads."""
        self._waiting = waiting

    @contextmanager
    def page(self) -> Iterator[bool]:
        """Yield whether the page must be a lean one; raises :class:`OverloadedError` where it is too much."""
        with self._lock:
            self._in_progress += 1
            load = self._in_progress + self._waiting()
        try:
            if load > self._limits.most_pages:
                raise OverloadedError(f"{load} pages are wanted at once; ask again in a second")
            yield load > self._limits.full_pages
        finally:
            with self._lock:
                self._in_progress -= 1

"""How often clients may call: a token bucket each (Turner, "New directions in communications", 1986)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

MOST_BUCKETS: Final = 10_000
"""Of addresses, the one that called longest ago is forgotten first."""


class RateLimits:
    """A bucket per name, in the memory of one worker.

    A bucket of ``rate`` tokens a second holds one second's worth, and one token at least. ``clock`` counts
    seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float], most: int = MOST_BUCKETS) -> None:
        self._clock, self._most = clock, most
        self._taking = Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Name to (tokens, at which instant)."""

    def take(self, name: str, rate: float) -> float:
        """Take a token; return 0, or where there is none after how many seconds there will be one."""
        with self._taking:
            now, full = self._clock(), max(1.0, rate)
            tokens, then = self._buckets.pop(name, (full, now))
            tokens = min(full, tokens + (now - then) * rate)
            wait = 0.0 if tokens >= 1.0 else (1.0 - tokens) / rate
            self._buckets[name] = (tokens if wait else tokens - 1.0, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
            return wait

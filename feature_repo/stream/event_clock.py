"""The events' own time: that of live events is the wall's, that of a replay its own."""

from __future__ import annotations

from collections.abc import Callable

MonotonicSeconds = Callable[[], float]


class EventClock:
    """Stands at the newest event seen, and ticks on from there.

    An hour of the events is over when this clock says so, whether or not more events come.
    """

    def __init__(self, monotonic: MonotonicSeconds) -> None:
        self._monotonic = monotonic
        self._ahead_us: float | None = None

    def saw(self, newest_us: int) -> None:
        """Take note of an event's instant, microseconds since 1970 UTC; an older one changes nothing."""
        ahead = newest_us - self._monotonic() * 1e6
        if self._ahead_us is None or ahead > self._ahead_us:
            self._ahead_us = ahead

    def now_us(self) -> int | None:
        """Return the time of the events, microseconds since 1970 UTC; None before the first."""
        return None if self._ahead_us is None else int(self._ahead_us + self._monotonic() * 1e6)

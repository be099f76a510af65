"""The service's clock: the wall's, or one that replays the time just after the data ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

import structlog

from feature_repo.history import is_history

Clock = Callable[[], datetime]
"""Returns the present instant, with its zone."""
ClockMode = Literal["auto", "wall", "replay"]

_log = structlog.get_logger(__name__)


def wall_clock() -> datetime:
    """Return the present in UTC."""
    return datetime.now(UTC)


def replay_clock(begin: datetime, wall: Clock, started_at: datetime) -> Clock:
    """Return a clock that stood at ``begin`` when the wall's stood at ``started_at``, and ticks with it."""
    return lambda: begin + (wall() - started_at)


def service_clock(
    mode: ClockMode, data_end: datetime, wall: Clock = wall_clock, started_at: datetime | None = None
) -> Clock:
    """Return the clock that pages are made by.

    ``auto`` replays where the data is history (:mod:`feature_repo.history`) by the wall clock: on the
    viewings of the year 2000, "now" is the year 2000. ``started_at`` is when the server started.
    """
    started = wall() if started_at is None else started_at
    replays = mode == "replay" or (mode == "auto" and is_history(data_end, wall()))
    _log.info("clock", mode="replay" if replays else "wall", requested=mode, data_end=data_end.isoformat())
    return replay_clock(data_end, wall, started) if replays else wall

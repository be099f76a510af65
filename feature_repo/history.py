"""When data is history: then pages are dated by its end, not by the wall clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

STALE_AFTER: Final = timedelta(hours=48)
"""Data that ended longer ago than this is history: pages are made as of its end."""


def is_history(data_end: datetime, wall: datetime) -> bool:
    """Say whether data that ended then is replayed at an instant of the wall clock; both with their zone."""
    return wall - data_end > STALE_AFTER

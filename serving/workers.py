"""How many processes a server has."""

from __future__ import annotations

import os
from collections.abc import Mapping


def worker_count(environment: Mapping[str, str]) -> int:
    """Return ``MARQUEE_WORKERS``; without it one per core, at most 4."""
    return int(environment.get("MARQUEE_WORKERS") or min(os.cpu_count() or 1, 4))

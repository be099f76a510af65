"""Ctrl-C and SIGTERM, taken in one's own way for as long as something is at work."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def on_stop_signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let ``handler`` deal with Ctrl-C and SIGTERM while the block runs; whoever did before does so after it.

    A script starts what it puts in the background with SIGINT ignored; then nothing else would stop it. Only
    the main thread may call this.
    """
    before: dict[int, Any] = {n: signal.signal(n, handler) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)

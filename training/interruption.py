"""Ctrl-C and SIGTERM, both taken as a wish to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def ending_on_signals() -> Iterator[list[int]]:
    """Let Ctrl-C and SIGTERM interrupt the block; yields a list that then names the signal.

    A script starts what it puts in the background with SIGINT ignored; then nothing else would stop it.
    """
    stopped: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        stopped.append(number)
        raise KeyboardInterrupt

    before: dict[int, Any] = {n: signal.signal(n, interrupt) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

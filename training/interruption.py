"""Ctrl-C and SIGTERM, both taken as a wish to stop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from feature_repo.signals import on_stop_signals


@contextmanager
def ending_on_signals() -> Iterator[list[int]]:
    """Let Ctrl-C and SIGTERM interrupt the block; yields a list that then names the signal."""
    stopped: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        stopped.append(number)
        raise KeyboardInterrupt

    with on_stop_signals(interrupt):
        yield stopped

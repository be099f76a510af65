"""Work beside requests, in small steps with rests between them: whoever waits for a page comes first.

A worker's threads share one interpreter. A bundle that is loaded takes seconds of it, most of them in reading
the titles; done without a rest, every page of those seconds would wait for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Pace:
    """Rests ``rest`` times as long as each step took; 0 for work that no request runs beside."""

    rest: float = 0.0
    sleep: Callable[[float], object] = time.sleep

    def steps(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items; between two of them rest."""
        begin: float | None = None
        for item in items:
            if begin is not None and self.rest:
                self.sleep(self.rest * (time.perf_counter() - begin))
            begin = time.perf_counter()
            yield item


AT_ONCE: Final = Pace()

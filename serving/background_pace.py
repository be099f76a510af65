"""Work beside requests, in small steps with rests between them: whoever waits for a page comes first.

A worker's threads share one interpreter. A bundle that is loaded takes seconds of it, most of them in reading
the titles; done without a rest, every page of those seconds would wait for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

import numpy as np

from feature_repo.store import TitleSnapshot
from serving.members import FeatureReader

Item = TypeVar("Item")
TITLES_A_STEP: Final = 100
"""Some 50 ms of reading."""


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


def read_titles(reader: FeatureReader, title_ids: Sequence[str], now: datetime, pace: Pace) -> TitleSnapshot:
    """Return the snapshot of the titles, row i for ``title_ids[i]``, read a few at a time."""
    if not pace.rest or len(title_ids) <= TITLES_A_STEP:
        return reader.title_snapshot(title_ids, now)
    begins = range(0, len(title_ids), TITLES_A_STEP)
    parts = [reader.title_snapshot(title_ids[n : n + TITLES_A_STEP], now) for n in pace.steps(begins)]
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    rows = {title_id: row for row, title_id in enumerate(title_ids)}
    ids = np.concatenate([part.title_ids for part in parts])
    return TitleSnapshot(ids, rows, columns, now)

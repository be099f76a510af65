from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from feature_repo.store import TitleSnapshot
from feature_repo.title_process import Sleep, TitleProcessError
from serving.background_pace import AT_ONCE, Pace
from serving.title_reading import TITLES_A_STEP, TitleReading

IDS = [f"t{row:03d}" for row in range(160)]


def assert_same_titles(one: TitleSnapshot, other: TitleSnapshot) -> None:
    assert (one.title_ids.tolist(), one.row_of) == (other.title_ids.tolist(), other.row_of)
    assert set(one.columns) == set(other.columns)
    for name, column in one.columns.items():
        found = other.columns[name]
        assert (column.dtype.kind, column.shape) == (found.dtype.kind, found.shape)
        pairs = zip(column, found, strict=True)
        assert all(np.array_equal(a, b, equal_nan=column.dtype.kind == "f") for a, b in pairs), name


class Broken:
    """Stands for a process that ends without an answer."""

    def __init__(self) -> None:
        self.asked = 0

    def read(self, title_ids: Sequence[str], now: datetime, sleep: Sleep) -> TitleSnapshot:  # noqa: ARG002
        self.asked += 1
        raise TitleProcessError("killed")

    def stop(self) -> None:
        pass


def test_titles_read_in_steps_are_those_read_at_once(small: Any) -> None:
    rests: list[float] = []
    reading = TitleReading(small.features)
    steps = reading.read(IDS, small.time[0], Pace(1.0, rests.append))
    assert len(rests) == (len(IDS) - 1) // TITLES_A_STEP
    assert_same_titles(steps, reading.read(IDS, small.time[0], AT_ONCE))


def test_where_the_process_fails_titles_are_read_in_this_one(small: Any) -> None:
    broken, rests = Broken(), list[float]()
    found = TitleReading(small.features, broken).read(IDS, small.time[0], Pace(1.0, rests.append))
    assert (broken.asked, len(rests)) == (1, 1)
    assert_same_titles(found, small.features.title_snapshot(IDS, small.time[0]))


def test_nobody_asks_for_a_process_before_anything_is_served(small: Any) -> None:
    broken = Broken()
    TitleReading(small.features, broken).read(IDS, small.time[0], AT_ONCE)
    assert broken.asked == 0

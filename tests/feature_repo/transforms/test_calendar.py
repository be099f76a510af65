from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from feature_repo.transforms.calendar import day_end, epoch_microseconds, hour_end, hour_of_day
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY as DAY, MICROSECONDS_PER_HOUR as HOUR


def test_hour_ends_strictly_after_its_instants():
    instants = np.array([0, 1, HOUR - 1, HOUR])
    assert hour_end(instants).tolist() == [HOUR, HOUR, HOUR, 2 * HOUR]


def test_day_ends_strictly_after_its_instants():
    assert day_end(np.array([0, DAY - 1, DAY])).tolist() == [DAY, DAY, 2 * DAY]


def test_instants_before_1970_belong_to_the_hour_and_day_they_lie_in():
    before = np.array([-1])
    assert (hour_end(before)[0], day_end(before)[0], hour_of_day(before)[0]) == (0, 0, 23)


def test_hour_of_day_wraps_at_midnight():
    assert hour_of_day(np.array([0, 23 * HOUR, DAY, DAY + HOUR])).tolist() == [0, 23, 0, 1]


def test_instants_are_exact_to_the_microsecond() -> None:
    instant = datetime(2026, 3, 1, 20, 0, 0, 123_457, tzinfo=UTC)
    assert epoch_microseconds(instant) == 1_772_395_200_123_457.0

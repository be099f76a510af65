from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from feature_repo.transforms.calendar import epoch_microseconds
from training.windows import training_windows

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_windows_start_at_the_full_hour_before_their_cut_and_end_at_the_one_after_the_last_event() -> None:
    # Ten events at 00:30, 01:30 ... 09:30: the cuts fall on the events of 08:30 and 09:30.
    first = epoch_microseconds(MIDNIGHT) + 30 * 60_000_000
    windows = training_windows(first + np.arange(10) * 3_600_000_000)
    assert windows.start == MIDNIGHT
    assert windows.ranker_start == MIDNIGHT + 8 * HOUR
    assert windows.test_start == MIDNIGHT + 9 * HOUR
    assert windows.end == MIDNIGHT + 10 * HOUR


@pytest.mark.parametrize(
    ("last", "end"),
    [(timedelta(hours=10) - timedelta(microseconds=1), 10), (timedelta(hours=10), 11)],
    ids=["a microsecond before the hour", "on the hour"],
)
def test_the_end_lies_after_the_last_event(last: timedelta, end: int) -> None:
    instants = [*(MIDNIGHT + i * HOUR for i in range(9)), MIDNIGHT + last]
    windows = training_windows(np.array([epoch_microseconds(i) for i in instants]), 0.5, 0.8)
    assert windows.end == MIDNIGHT + end * HOUR


def test_shares_move_the_cuts_whatever_the_order_of_events() -> None:
    timestamps = epoch_microseconds(MIDNIGHT) + np.random.default_rng(0).permutation(100) * 3_600_000_000
    windows = training_windows(timestamps, ranker_share=0.5, test_share=0.75)
    assert windows.ranker_start == MIDNIGHT + 50 * HOUR
    assert windows.test_start == MIDNIGHT + 75 * HOUR


def test_events_within_one_hour_are_refused() -> None:
    with pytest.raises(ValueError, match="too few hours to split"):
        training_windows(epoch_microseconds(MIDNIGHT) + np.arange(100))


def test_microseconds_are_exact_and_know_time_zones() -> None:
    assert epoch_microseconds(datetime(1970, 1, 2, 0, 0, 0, 1, tzinfo=UTC)) == 86_400_000_001
    assert epoch_microseconds(datetime.fromisoformat("1970-01-01T02:00:00+02:00")) == 0

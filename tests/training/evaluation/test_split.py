from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, strategies as st

from training.evaluation.split import Window, temporal_split

START = datetime(2026, 1, 1, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000


def test_cuts_by_share_of_events() -> None:
    split = temporal_split(START_US + np.arange(10, dtype=np.int64)[::-1])
    assert split.train == Window(START, START + timedelta(microseconds=8))
    assert split.validation.end == split.test.start == START + timedelta(microseconds=9)
    assert split.test.end == START + timedelta(microseconds=10)


def test_events_of_one_instant_stay_together_in_the_later_window() -> None:
    timestamps = START_US + np.array([0, 1, 2, 3, 5, 5, 5, 5, 5, 6], dtype=np.int64)
    split = temporal_split(timestamps)
    assert split.train.contains(timestamps).sum() == 4
    assert split.validation.contains(timestamps).sum() == 5
    assert split.test.contains(timestamps).sum() == 1


@given(st.lists(st.integers(-10_000, 10_000), min_size=20, unique=True))
def test_every_event_is_in_exactly_one_window(offsets: list[int]) -> None:
    timestamps = START_US + np.array(offsets, dtype=np.int64)
    split = temporal_split(timestamps, 0.5, 0.75)
    windows = [w.contains(timestamps) for w in (split.train, split.validation, split.test)]
    assert (np.sum(windows, axis=0) == 1).all()
    assert all(window.any() for window in windows)
    assert timestamps[windows[0]].max() < timestamps[windows[1]].min()
    assert timestamps[windows[1]].max() < timestamps[windows[2]].min()


@pytest.mark.parametrize("shares", [(0.9, 0.8), (0.0, 0.5), (0.5, 1.0), (0.5, 0.5)])
def test_shares_out_of_order_are_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="validation_share"):
        temporal_split(np.arange(10), *shares)


def test_windows_that_would_stay_empty_are_refused() -> None:
    with pytest.raises(ValueError, match="window would be empty"):
        temporal_split(np.zeros(10, dtype=np.int64))
    with pytest.raises(ValueError, match="timestamps are empty"):
        temporal_split(np.empty(0, dtype=np.int64))

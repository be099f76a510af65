from __future__ import annotations

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.transforms.viewings import viewings
from feature_repo.transforms.watch_log import watch_log


def test_gains_of_a_viewing_add_up_to_its_final_fraction(make_events):
    viewed = viewings(watch_log(make_events([
        ("e1", "u", "a", "play", 1), ("e2", "u", "a", "progress", 2, 0.5),
        ("e3", "u", "b", "complete", 3, 1.0), ("e4", "u", "a", "pause", 4, 0.25),
        ("e5", "u", "a", "progress", 5, 0.75),
        ("e6", "u", "a", "play", 6), ("e7", "u", "a", "progress", 7, 0.125),
    ])))  # fmt: skip
    assert viewed.log.title_codes.tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert viewed.pairs.tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert viewed.starts.tolist() == [True, False, False, False, True, False, True]
    assert viewed.gains == pytest.approx([0, 0.5, 0, 0.25, 0, 0.125, 1.0])


def test_a_play_with_a_fraction_goes_on_with_an_unfinished_viewing(make_events):
    viewed = viewings(watch_log(make_events([
        ("e1", "u", "a", "play", 1), ("e2", "u", "a", "pause", 2, 0.5),
        ("e3", "u", "a", "play", 3, 0.5), ("e4", "u", "a", "complete", 4, 0.75),
        ("e5", "u", "a", "play", 5, 0.7), ("e6", "u", "a", "pause", 6, 1.0),
        ("e7", "u", "a", "play", 7, 0.25), ("e8", "u", "a", "pause", 8, 0.5),
        ("e9", "u", "a", "play", 9, 0.5),
        ("f1", "u", "b", "play", 1, 0.5), ("f2", "v", "b", "play", 2, 0.5),
    ])))  # fmt: skip
    begun = [True, False, False, False, False, False, True, False, False, True, True]
    assert viewed.starts.tolist() == begun
    assert viewed.gains.tolist() == [0, 0.5, 0, 0.25, 0, 0.25, 0, 0.5, 0, 0, 0]


def test_two_members_of_one_title_are_two_viewings(make_events):
    viewed = viewings(
        watch_log(make_events([("e1", "u", "a", "pause", 1, 0.5), ("e2", "v", "a", "pause", 2, 0.25)]))
    )
    assert viewed.starts.all()
    assert viewed.gains.tolist() == [0.5, 0.25]


def test_no_events_no_viewings():
    viewed = viewings(watch_log(s.EVENTS.arrow_schema.empty_table()))
    assert (len(viewed.log), viewed.gains.dtype, len(viewed.gains)) == (0, np.float64, 0)

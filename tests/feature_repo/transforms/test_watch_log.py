from __future__ import annotations

import numpy as np

from feature_repo import schema as s
from feature_repo.transforms.watch_log import blocks, watch_log


def test_order_is_member_then_time_then_event_id(make_events):
    log = watch_log(make_events([
        ("e3", "u2", "b", "play", 5), ("e2", "u1", "c", "play", 7), ("e1", "u1", "a", "play", 7),
        ("e4", "u1", "b", "play", 1),
    ]))  # fmt: skip
    assert log.users.to_pylist() == ["u1", "u2"]
    assert log.user_codes.tolist() == [0, 0, 0, 1]
    assert [log.titles[code].as_py() for code in log.title_codes] == ["b", "a", "c", "b"]
    assert log.member_starts().tolist() == [0, 3, 4]


def test_events_that_are_not_watching_are_left_out(make_events):
    log = watch_log(make_events([("e1", "u", "a", "hover", 1), ("e2", "u", "b", "complete", 2, 1.0)]))
    assert log.titles.to_pylist() == ["b"]
    assert not log.plays[0]


def test_earliest_of_two_rows_with_one_id_counts(make_events):
    log = watch_log(make_events([("e", "u", "a", "progress", 9, 0.9), ("e", "u", "a", "progress", 3, 0.3)]))
    assert log.fractions.tolist() == [np.float32(0.3)]


def test_id_first_used_by_another_type_is_spent(make_events):
    assert len(watch_log(make_events([("e", "u", "a", "hover", 1), ("e", "u", "a", "play", 2)]))) == 0


def test_unknown_fraction_minutes_and_device_are_marked(make_events):
    log = watch_log(make_events([("e", "u", "a", "progress", 1)]))
    assert np.isnan([log.fractions[0], log.minutes[0]]).all()
    assert log.device_codes.tolist() == [-1]
    assert log.reached().tolist() == [0.0]


def test_a_complete_that_reports_no_fraction_was_watched_to_the_end(make_events):
    log = watch_log(make_events([
        ("e1", "u", "a", "play", 1), ("e2", "u", "a", "complete", 2), ("e3", "u", "b", "complete", 3, 0.9),
        ("e4", "u", "c", "complete", 4, 0.0), ("e5", "u", "d", "pause", 5),
    ]))  # fmt: skip
    assert log.reached().tolist() == [0.0, 1.0, np.float32(0.9), 0.0, 0.0]


def test_play_begins_at_zero_whatever_it_reports(make_events):
    log = watch_log(make_events([("e", "u", "a", "play", 1, 0.7)]))
    assert log.reached().tolist() == [0.0]


def test_empty_events_give_an_empty_log():
    log = watch_log(s.EVENTS.arrow_schema.empty_table())
    assert len(log) == 0
    assert log.member_starts().tolist() == [0]


def test_blocks_cover_everyone_once_in_order():
    costs = np.array([3, 1, 9, 1, 1])
    cut = list(blocks(costs, 5))
    assert np.concatenate([np.arange(5)[block] for block in cut]).tolist() == [0, 1, 2, 3, 4]
    assert len(cut) > 1
    assert list(blocks(np.array([], dtype=np.int64), 5)) == []

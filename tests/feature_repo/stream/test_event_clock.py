from __future__ import annotations

from feature_repo.stream.event_clock import EventClock


def test_the_clock_stands_at_the_newest_event_and_ticks_on() -> None:
    seconds = [100.0]
    clock = EventClock(lambda: seconds[0])
    assert clock.now_us() is None
    clock.saw(5_000_000)
    assert clock.now_us() == 5_000_000
    seconds[0] += 2
    assert clock.now_us() == 7_000_000


def test_older_events_do_not_turn_it_back() -> None:
    seconds = [0.0]
    clock = EventClock(lambda: seconds[0])
    clock.saw(5_000_000)
    seconds[0] += 10
    clock.saw(9_000_000)
    assert clock.now_us() == 15_000_000
    clock.saw(20_000_000)
    assert clock.now_us() == 20_000_000

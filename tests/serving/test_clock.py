from __future__ import annotations

from datetime import UTC, datetime, timedelta

from serving.clock import service_clock

STARTED = datetime(2026, 3, 1, tzinfo=UTC)


def test_auto_keeps_the_wall_clock_where_the_data_is_fresh() -> None:
    clock = service_clock("auto", STARTED - timedelta(hours=48), wall=lambda: STARTED)
    assert clock() == STARTED


def test_auto_replays_where_the_data_ended_long_ago() -> None:
    now = [STARTED]
    end = datetime(2000, 12, 31, tzinfo=UTC)
    clock = service_clock("auto", end, wall=lambda: now[0])
    assert clock() == end
    now[0] += timedelta(minutes=3)
    assert clock() == end + timedelta(minutes=3)


def test_a_replay_counts_from_the_servers_start() -> None:
    end = datetime(2000, 12, 31, tzinfo=UTC)
    clock = service_clock("replay", end, wall=lambda: STARTED, started_at=STARTED - timedelta(hours=1))
    assert clock() == end + timedelta(hours=1)


def test_the_wall_clock_can_be_asked_for() -> None:
    clock = service_clock("wall", datetime(2000, 1, 1, tzinfo=UTC), wall=lambda: STARTED)
    assert clock() == STARTED

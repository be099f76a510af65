from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.members import Members, make_members
from feature_repo.simulation.sessions import Sessions, draw_sessions
from feature_repo.simulation.vocabulary import COUNTRIES

HOUR = 3_600_000_000
DAY = 24 * HOUR
START = 20_000 * DAY + 5 * HOUR
END = START + 10 * DAY


@pytest.fixture(scope="module")
def members() -> Members:
    config = SimulationConfig(members=400, days=10, joining_member_share=0.3)
    return make_members(config, START, END, np.random.default_rng(2))


@pytest.fixture(scope="module")
def sessions(members: Members) -> Sessions:
    return draw_sessions(members, START, END, np.random.default_rng(3))


def test_sessions_lie_in_the_window_and_after_joining(members: Members, sessions: Sessions) -> None:
    assert sessions.started_us.min() >= START
    assert sessions.started_us.max() < END
    assert (sessions.started_us >= members.joined_us[sessions.users]).all()


def test_sessions_are_numbered_in_order_at_least_two_hours_apart(sessions: Sessions) -> None:
    same = sessions.users[1:] == sessions.users[:-1]
    assert (np.diff(sessions.users) >= 0).all()
    assert (np.diff(sessions.started_us)[same] >= 2 * HOUR).all()
    assert (np.diff(sessions.number)[same] == 1).all()
    assert (sessions.number[1:][~same] == 0).all()


def test_active_members_come_more_often(members: Members, sessions: Sessions) -> None:
    count = np.bincount(sessions.users, minlength=400)
    there = members.joined_us < START
    busy = members.sessions_per_day > np.median(members.sessions_per_day)
    assert count[there & busy].mean() > 2 * count[there & ~busy].mean()


def test_television_is_watched_in_the_local_evening(members: Members, sessions: Sessions) -> None:
    offsets = np.array([country.utc_offset_hours for country in COUNTRIES])
    local = (sessions.started_us / HOUR + offsets[members.countries[sessions.users]]) % 24
    television = local[sessions.devices == s.DEVICES.index("tv")]
    phone = local[sessions.devices == s.DEVICES.index("mobile")]
    assert ((television > 17) & (television < 24)).mean() > 0.7
    assert ((phone > 17) & (phone < 24)).mean() < 0.4


def test_devices_follow_the_members_shares(members: Members) -> None:
    only_tablet = np.tile([0.0, 0.0, 1.0, 0.0], (400, 1))
    tablets = draw_sessions(
        dataclasses.replace(members, device_shares=only_tablet), START, END, np.random.default_rng(3)
    )
    assert set(tablets.devices.tolist()) == {s.DEVICES.index("tablet")}


def test_members_without_activity_have_no_sessions(members: Members) -> None:
    idle = dataclasses.replace(members, sessions_per_day=np.zeros(400))
    assert len(draw_sessions(idle, START, END, np.random.default_rng(3))) == 0


def test_sessions_per_day_are_as_many_as_the_members_activity_says(members: Members) -> None:
    """Two working days at a rate of 0.1: few enough that hardly any is dropped for being too close."""
    monday = START - (START // DAY + 3) % 7 * DAY - 5 * HOUR
    calm = dataclasses.replace(
        members, sessions_per_day=np.full(400, 0.1), joined_us=np.zeros(400, dtype=np.int64)
    )
    found = len(draw_sessions(calm, monday, monday + 2 * DAY, np.random.default_rng(3)))
    assert abs(found - 80) < 4 * np.sqrt(80)


def test_weekends_are_busier_than_working_days(members: Members) -> None:
    monday = START - (START // DAY + 3) % 7 * DAY - 5 * HOUR
    steady = dataclasses.replace(
        members, sessions_per_day=np.full(400, 0.5), joined_us=np.zeros(400, dtype=np.int64)
    )
    sessions = draw_sessions(steady, monday, monday + 14 * DAY, np.random.default_rng(3))
    weekday = (sessions.started_us // DAY + 3) % 7
    weekend = (weekday >= 5).sum() / 4
    working = (weekday < 5).sum() / 10
    assert 1.1 < weekend / working < 1.45


def test_nobody_watches_before_joining(members: Members) -> None:
    late = dataclasses.replace(members, joined_us=np.full(400, END - DAY))
    sessions = draw_sessions(late, START, END, np.random.default_rng(3))
    assert len(sessions) > 0
    assert sessions.started_us.min() >= END - DAY


def test_the_same_generator_draws_the_same_sessions(members: Members, sessions: Sessions) -> None:
    again = draw_sessions(members, START, END, np.random.default_rng(3))
    other = draw_sessions(members, START, END, np.random.default_rng(4))
    assert again.started_us.tolist() == sessions.started_us.tolist()
    assert other.started_us.tolist() != sessions.started_us.tolist()

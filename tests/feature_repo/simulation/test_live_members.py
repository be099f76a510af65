"""Members who go on living after the history."""

from __future__ import annotations

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.history import examination_probability
from feature_repo.simulation.live_members import LiveMembers, LookedAt
from feature_repo.simulation.simulate import SimulatedService
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY

DAYS = 20


@pytest.fixture
def live(service: SimulatedService, config: SimulationConfig) -> LiveMembers:
    return LiveMembers(service.world, config, np.random.default_rng(1))


def page(live: LiveMembers, config: SimulationConfig) -> LookedAt:
    slots = np.arange(config.page_tiles)
    titles = np.arange(len(slots)) % len(live.world.title_ids)
    return LookedAt(titles, slots // config.row_tiles + 1, slots % config.row_tiles + 1)


def test_members_come_as_often_as_in_the_history(live: LiveMembers, config: SimulationConfig) -> None:
    start = live.world.end_us
    sessions = live.sessions(start, start + DAYS * MICROSECONDS_PER_DAY)
    assert (np.diff(sessions.started_us) >= 0).all()
    assert start <= sessions.started_us.min()
    assert sessions.started_us.max() < start + DAYS * MICROSECONDS_PER_DAY
    a_day = len(sessions) / DAYS / config.members
    assert 0.5 * config.sessions_per_day < a_day < 1.5 * config.sessions_per_day


def test_places_are_looked_at_as_in_the_history(live: LiveMembers, config: SimulationConfig) -> None:
    seen = page(live, config)
    expected = examination_probability(config).ravel()
    np.testing.assert_allclose(live.examination(seen.rows, seen.positions), expected)


def test_plays_come_as_often_as_the_truth_says(live: LiveMembers, config: SimulationConfig) -> None:
    seen, when, device = page(live, config), live.world.end_us, s.DEVICES.index("tv")
    rounds, user = 3_000, 2
    plays = np.zeros(len(seen.titles))
    for _ in range(rounds):
        for play in live.look(user, seen, when, device):
            plays[play.tile] += 1
            assert 0 < play.fraction <= 1
    truth = live.play_probability(user, seen.titles, when, device)
    expected = truth * live.examination(seen.rows, seen.positions)
    error = np.sqrt(np.maximum(expected * (1 - expected), 1e-4) / rounds)
    assert (np.abs(plays / rounds - expected) < 5 * error).all()


def test_a_title_the_world_does_not_know_is_never_played(live: LiveMembers) -> None:
    known = str(live.world.title_ids[3])
    assert live.rows_of([known, "night-ferry"]).tolist() == [3, -1]
    one = np.ones(1, dtype=np.int64)
    unknown = LookedAt(-one, one, one)
    assert all(not live.look(0, unknown, live.world.end_us, 0) for _ in range(200))

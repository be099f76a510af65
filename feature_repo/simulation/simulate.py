"""One call makes the whole simulated service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from feature_repo.simulation.catalogue import make_catalogue
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.events import events_table, impressions_table
from feature_repo.simulation.history import Progress, draw_history
from feature_repo.simulation.members import make_members
from feature_repo.simulation.sessions import draw_sessions
from feature_repo.simulation.tastes import make_world
from feature_repo.simulation.viewing import draw_viewings
from feature_repo.simulation.world import World
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY


@dataclass(frozen=True, slots=True)
class SimulatedService:
    """The four raw tables, as schema.TITLES, MEMBERS, EVENTS and IMPRESSIONS, and the truth behind them."""

    titles: pa.Table
    members: pa.Table
    events: pa.Table
    impressions: pa.Table
    world: World


def simulate(
    config: SimulationConfig, seed: int, end: datetime, progress: Progress | None = None
) -> SimulatedService:
    """Simulate ``config.days`` days that end at ``end`` (exclusive).

    The same configuration, seed and end give the same service, row by row. ``progress`` is called
    with members simulated so far and in all. Raises ``ValueError`` for an ``end`` without time zone.
    """
    end_us = instant_us(end)
    start_us = end_us - config.days * MICROSECONDS_PER_DAY
    # A seed of its own for each part: a change in one leaves the draws of the others as they are.
    seeds = np.random.SeedSequence(seed).spawn(7)
    generators = [np.random.default_rng(part) for part in seeds]
    catalogue = make_catalogue(config, start_us, end_us, generators[0])
    members = make_members(config, start_us, end_us, generators[1])
    world = make_world(config, catalogue, members, start_us, end_us, generators[2])
    sessions = draw_sessions(members, start_us, end_us, generators[3])
    tiles, searches = draw_history(world, sessions, config, seeds[4], progress)
    viewings, fractions = draw_viewings(world, catalogue, sessions, tiles, searches, generators[5])
    events = events_table(world, catalogue, sessions, tiles, searches, viewings, generators[6])
    impressions = impressions_table(world, sessions, tiles, fractions, config)
    return SimulatedService(catalogue.table, members.table, events, impressions, world)


def instant_us(instant: datetime) -> int:
    """Return microseconds since 1970 UTC; raises ``ValueError`` for an instant without a time zone."""
    if instant.tzinfo is None:
        raise ValueError(f"end: {instant.isoformat()} has no time zone; pass an instant in UTC")
    return epoch_microseconds(instant)

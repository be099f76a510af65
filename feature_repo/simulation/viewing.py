"""How a viewing goes: given up or finished, and what is watched next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from feature_repo import schema as s
from feature_repo.simulation.catalogue import Catalogue
from feature_repo.simulation.history import Searches, Tiles
from feature_repo.simulation.sessions import Sessions
from feature_repo.simulation.world import World
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR, MICROSECONDS_PER_SECOND

_MICROSECONDS_PER_MINUTE: Final = 60 * MICROSECONDS_PER_SECOND
_BROWSING_US: Final = 2 * _MICROSECONDS_PER_MINUTE
_SERIES: Final = s.TITLE_TYPES.index("series")
_SMALL_SCREENS: Final = (s.DEVICES.index("mobile"), s.DEVICES.index("tablet"))
_COMPLETION_BASE: Final = -0.7
_COMPLETION_BY_TASTE: Final = 0.35
_COMPLETION_BY_QUALITY: Final = 0.7
FATIGUE: Final = 0.3
"""Logits lost with each earlier viewing of the session."""
_SMALL_SCREEN_PER_HOUR: Final = 0.8
"""Logits lost per hour of running time on a small screen."""
_BINGE_STEPS: Final = 4
_NEXT_EPISODE_SHARE: Final = 0.5
_NEXT_PART_SHARE: Final = 0.2
_RETURNS: Final = 3
_RETURN_SHARE: Final = 0.45


@dataclass(frozen=True, slots=True)
class Viewings:
    """One entry per viewing, in no particular order."""

    users: NDArray[np.int64]
    titles: NDArray[np.int64]
    started_us: NDArray[np.int64]
    devices: NDArray[np.int64]
    fractions: NDArray[np.float64]
    """Share of the running time watched, (0, 1]."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """Viewings of sessions before the clock is laid over them: ``chain`` then ``step`` give the order."""

    sessions: NDArray[np.int64]
    chain: NDArray[np.int64]
    step: NDArray[np.int64]
    titles: NDArray[np.int64]
    fractions: NDArray[np.float64]


def draw_viewings(
    world: World,
    catalogue: Catalogue,
    sessions: Sessions,
    tiles: Tiles,
    searches: Searches,
    rng: np.random.Generator,
) -> tuple[Viewings, NDArray[np.float64]]:
    """Return all viewings, and the watch fraction of each played tile in the order of ``tiles``.

    A finished episode may be followed by the next (the same title) at once or on the next days, a
    finished part of a franchise by the next part. Viewings of a session follow one another.
    """
    plan_sessions = np.concatenate([tiles.sessions[tiles.played], searches.sessions])
    titles = np.concatenate([tiles.titles[tiles.played], searches.titles])
    order = np.argsort(plan_sessions, kind="stable")
    chain = np.empty(len(order), dtype=np.int64)
    grouped = plan_sessions[order]
    chain[order] = np.arange(len(order)) - np.searchsorted(grouped, grouped)
    fractions = _draw_fractions(world, catalogue, sessions, plan_sessions, titles, chain, rng)
    plan = _Plan(plan_sessions, chain, np.zeros_like(chain), titles, fractions)
    steps = _binge(world, catalogue, sessions, plan, rng)
    viewings = _lay_out(catalogue, sessions, steps)
    viewings = _with_returns(catalogue, world.end_us, viewings, rng)
    return viewings, fractions[: int(tiles.played.sum())]


def _draw_fractions(
    world: World,
    catalogue: Catalogue,
    sessions: Sessions,
    rows: NDArray[np.int64],
    titles: NDArray[np.int64],
    earlier: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    devices = sessions.devices[rows]
    started = sessions.started_us[rows].astype(np.float64)
    logits = finishing_logits(world, sessions.users[rows], titles, started, devices) - FATIGUE * earlier
    hours = catalogue.runtime_minutes[titles] / 60
    logits -= _SMALL_SCREEN_PER_HOUR * hours * np.isin(devices, _SMALL_SCREENS)
    return draw_fractions(logits, rng)


def finishing_logits(
    world: World,
    users: NDArray[np.int64],
    titles: NDArray[np.int64],
    started_us: NDArray[np.float64],
    devices: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return how likely each viewing is finished, in logits, before fatigue and the screen's size count."""
    logits = _COMPLETION_BASE + _COMPLETION_BY_QUALITY * world.title_quality[titles]
    logits += _COMPLETION_BY_TASTE * world.taste_logits(users, titles, started_us, devices)
    return np.asarray(logits, dtype=np.float64)


def draw_fractions(logits: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw how far each viewing goes, (0, 1]: past COMPLETION_FRACTION where finished, else below it."""
    finished = rng.random(len(logits)) < expit(logits)
    given_up = rng.beta(1.0, 2.0, len(logits)) * (s.COMPLETION_FRACTION - 0.02) + 0.01
    return np.where(finished, rng.uniform(0.85, 1.0, len(logits)), given_up)


def _next_parts(franchises: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the part that follows each title in its franchise, -1 where there is none."""
    following = np.full(len(franchises), -1)
    order = np.argsort(franchises, kind="stable")
    same = (franchises[order][1:] == franchises[order][:-1]) & (franchises[order][1:] >= 0)
    following[order[:-1][same]] = order[1:][same]
    return following


def _binge(
    world: World, catalogue: Catalogue, sessions: Sessions, plan: _Plan, rng: np.random.Generator
) -> list[_Plan]:
    steps = [plan]
    following = _next_parts(catalogue.franchises)
    for step in range(1, _BINGE_STEPS + 1):
        last = steps[-1]
        draw = rng.random(len(last.titles))
        done = last.fractions >= s.COMPLETION_FRACTION
        episodic = catalogue.types[last.titles] == _SERIES
        titles = np.where(episodic, last.titles, following[last.titles])
        users, started = sessions.users[last.sessions], sessions.started_us[last.sessions]
        shown = (titles >= 0) & world.may_be_shown(users, titles)
        shown &= world.title_available_us[titles] <= started
        goes_on = done & shown & (draw < np.where(episodic, _NEXT_EPISODE_SHARE, _NEXT_PART_SHARE))
        rows, chain, titles = last.sessions[goes_on], last.chain[goes_on], titles[goes_on]
        fractions = _draw_fractions(world, catalogue, sessions, rows, titles, chain, rng)
        steps.append(_Plan(rows, chain, np.full_like(chain, step), titles, fractions))
    return steps


def _lay_out(catalogue: Catalogue, sessions: Sessions, steps: list[_Plan]) -> Viewings:
    """Give each viewing its start: after browsing and all earlier viewings of the session."""
    joined = {name: np.concatenate([getattr(p, name) for p in steps]) for name in _Plan.__slots__}
    order = np.lexsort((joined["step"], joined["chain"], joined["sessions"]))
    rows, titles, fractions = (joined[name][order] for name in ("sessions", "titles", "fractions"))
    minutes = fractions * catalogue.runtime_minutes[titles]
    before = np.cumsum(minutes) - minutes
    elapsed = before - before[np.searchsorted(rows, rows)]
    started = sessions.started_us[rows] + _BROWSING_US
    started += (elapsed * _MICROSECONDS_PER_MINUTE).astype(np.int64)
    return Viewings(sessions.users[rows], titles, started, sessions.devices[rows], fractions)


def _with_returns(
    catalogue: Catalogue, end_us: int, viewings: Viewings, rng: np.random.Generator
) -> Viewings:
    """Add the next episode on the next day, about the same hour, up to three days in a row."""
    rounds = [viewings]
    for _ in range(_RETURNS):
        last = rounds[-1]
        done = (catalogue.types[last.titles] == _SERIES) & (last.fractions >= s.COMPLETION_FRACTION)
        back = np.flatnonzero(done & (rng.random(len(done)) < _RETURN_SHARE))
        later = MICROSECONDS_PER_DAY + rng.normal(0.0, MICROSECONDS_PER_HOUR, len(back)).astype(np.int64)
        started = last.started_us[back] + later
        finished = rng.random(len(back)) < 0.75
        fractions = np.where(finished, rng.uniform(0.85, 1.0, len(back)), rng.uniform(0.05, 0.75, len(back)))
        rounds.append(Viewings(last.users[back], last.titles[back], started, last.devices[back], fractions))
    joined = {name: np.concatenate([getattr(r, name) for r in rounds]) for name in Viewings.__slots__}
    inside = joined["started_us"] < end_us
    return Viewings(**{name: array[inside] for name, array in joined.items()})

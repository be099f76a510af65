"""What is known about a member's viewing after each event: one state, one step.

:func:`advance` is the only place where an event changes a member's features. History is folded through
it event by event, all members at once; a stream calls it with the events of a moment.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.calendar import HOURS_PER_DAY, Instants, hour_of_day
from feature_repo.transforms.decay import (
    MICROSECONDS_PER_SECOND,
    SESSION_TIME_CONSTANT_DAYS,
    TASTE_TIME_CONSTANT_DAYS,
    VELOCITY_TIME_CONSTANT_DAYS,
    decay_factor,
)
from feature_repo.transforms.watch_log import begins_anew, reached_fraction

SESSION_GAP_MINUTES: Final = 30.0
"""More idle time than this between two events begins a new session."""
NO_TITLE: Final = -1
"""Fills the free slots of the recent titles."""
_MICROSECONDS_PER_MINUTE: Final = 60 * MICROSECONDS_PER_SECOND


@dataclass(frozen=True, slots=True)
class UserState:
    """The state of n members; every array has n rows. Weights are decayed to ``last_watched_at``."""

    recent_titles: NDArray[np.int32]
    """(n, RECENT_TITLES) title codes, latest first, NO_TITLE in free slots."""
    recent_fractions: NDArray[np.float32]
    """(n, RECENT_TITLES) furthest fraction of the latest viewing of each, 0 to 1."""
    recent_watched_at: NDArray[np.int64]
    """(n, RECENT_TITLES) the latest event of each, microseconds since 1970 UTC; 0 in free slots."""
    recent_minutes: NDArray[np.float32]
    """(n, RECENT_TITLES) minutes of the latest viewing of each."""
    genre_weights: NDArray[np.float64]
    session_genre_weights: NDArray[np.float64]
    """As ``genre_weights``, decayed with SESSION_TIME_CONSTANT_DAYS."""
    device_weights: NDArray[np.float64]
    hour_weights: NDArray[np.float64]
    recent_plays: NDArray[np.float64]
    """Viewings started, decayed with VELOCITY_TIME_CONSTANT_DAYS."""
    watch_count: NDArray[np.int64]
    session_count: NDArray[np.int64]
    session_minutes: NDArray[np.float64]
    """Minutes of all sessions together."""
    latest_device: NDArray[np.int32]
    """Code of the device last seen, -1 where none is known."""
    last_watched_at: NDArray[np.float64]
    """Microseconds since 1970 UTC; NaN before the first event."""
    first_watched_at: NDArray[np.float64]
    """As ``last_watched_at``."""

    def __len__(self) -> int:
        return len(self.watch_count)

    def take(self, rows: NDArray[Any] | slice) -> UserState:
        """Return the chosen members' state."""
        return UserState(*(getattr(self, f.name)[rows] for f in fields(self)))

    def put(self, rows: NDArray[np.int64], part: UserState) -> None:
        """Write the state of some members into ``rows`` of this one."""
        for f in fields(self):
            getattr(self, f.name)[rows] = getattr(part, f.name)


@dataclass(frozen=True, slots=True)
class WatchEvents:
    """One watch event for each of n members.

    ``fractions`` (0 to 1) and ``minutes`` are NaN and ``devices`` -1 where unknown; ``genre_vectors``
    is (n, number of genres), of unit length or 0.
    """

    titles: NDArray[np.int32]
    timestamps: Instants
    plays: NDArray[np.bool_]
    fractions: NDArray[np.float64]
    minutes: NDArray[np.float64]
    devices: NDArray[np.int32]
    genre_vectors: NDArray[np.float32]


def empty_state(members: int) -> UserState:
    """Return the state of members who have watched nothing."""
    return UserState(
        recent_titles=np.full((members, s.RECENT_TITLES), NO_TITLE, dtype=np.int32),
        recent_fractions=np.zeros((members, s.RECENT_TITLES), dtype=np.float32),
        recent_watched_at=np.zeros((members, s.RECENT_TITLES), dtype=np.int64),
        recent_minutes=np.zeros((members, s.RECENT_TITLES), dtype=np.float32),
        genre_weights=np.zeros((members, len(s.GENRES))),
        session_genre_weights=np.zeros((members, len(s.GENRES))),
        device_weights=np.zeros((members, len(s.DEVICES))),
        hour_weights=np.zeros((members, HOURS_PER_DAY)),
        recent_plays=np.zeros(members),
        watch_count=np.zeros(members, dtype=np.int64),
        session_count=np.zeros(members, dtype=np.int64),
        session_minutes=np.zeros(members),
        latest_device=np.full(members, -1, dtype=np.int32),
        last_watched_at=np.full(members, np.nan),
        first_watched_at=np.full(members, np.nan),
    )


def advance(state: UserState, events: WatchEvents) -> UserState:
    """Return the state after one more watch event of every member; row i of both is member i.

    A ``play`` starts a viewing at fraction 0, unless it resumes one (:func:`begins_anew`); so does any event
    of a title that is not among the recent ones. A viewing adds to taste only by how much further it got
    (the gain), so repeated reports count once. A member's events come in order of (event_timestamp,
    event_id); an earlier timestamp than the last counts as if it were at the last. The input state is left
    as it was.
    """
    known, slot = _find(state.recent_titles, events.titles)
    rows = np.arange(len(state))
    furthest = state.recent_fractions[rows, slot]
    starts = begins_anew(events.plays, events.fractions, furthest) | ~known
    before = np.where(starts, 0.0, furthest)
    after = np.maximum(before, reached_fraction(events.plays, events.fractions))
    first = np.isnan(state.last_watched_at)
    elapsed = np.where(first, 0.0, np.maximum(events.timestamps - state.last_watched_at, 0.0))
    taste = decay_factor(elapsed, TASTE_TIME_CONSTANT_DAYS)[:, None]
    session = decay_factor(elapsed, SESSION_TIME_CONSTANT_DAYS)[:, None]
    gained = (after - before)[:, None] * events.genre_vectors
    opens, minutes = _session(first, elapsed, events.minutes)
    watched_for = np.where(starts, 0.0, state.recent_minutes[rows, slot]) + minutes
    now = np.fmax(state.last_watched_at, events.timestamps)
    return UserState(
        recent_titles=_move_to_front(state.recent_titles, slot, events.titles),
        recent_fractions=_move_to_front(state.recent_fractions, slot, after.astype(np.float32)),
        recent_watched_at=_move_to_front(state.recent_watched_at, slot, now.astype(np.int64)),
        recent_minutes=_move_to_front(state.recent_minutes, slot, watched_for.astype(np.float32)),
        genre_weights=state.genre_weights * taste + gained,
        session_genre_weights=state.session_genre_weights * session + gained,
        device_weights=_count(state.device_weights * taste, events.devices, starts),
        hour_weights=_count(state.hour_weights * taste, hour_of_day(events.timestamps), starts),
        recent_plays=state.recent_plays * decay_factor(elapsed, VELOCITY_TIME_CONSTANT_DAYS) + starts,
        watch_count=state.watch_count + starts,
        session_count=state.session_count + opens,
        session_minutes=state.session_minutes + minutes,
        latest_device=np.where(events.devices >= 0, events.devices, state.latest_device),
        last_watched_at=now,
        first_watched_at=np.fmin(state.first_watched_at, events.timestamps),
    )


def _find(recent: NDArray[np.int32], titles: NDArray[np.int32]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return whether each title is among the recent ones, and the slot it leaves: the last for a new one."""
    same = recent == titles[:, None]
    slot = same.argmax(axis=1)
    known = same[np.arange(len(recent)), slot]
    return known, np.where(known, slot, s.RECENT_TITLES - 1)


def _move_to_front(slots: NDArray[Any], leaving: NDArray[np.intp], front: NDArray[Any]) -> NDArray[Any]:
    moved = np.empty_like(slots)
    moved[:, 0] = front
    shifted = np.arange(1, s.RECENT_TITLES) <= leaving[:, None]
    moved[:, 1:] = np.where(shifted, slots[:, :-1], slots[:, 1:])
    return moved


def _count(
    weights: NDArray[np.float64], codes: NDArray[np.integer[Any]], starts: NDArray[np.bool_]
) -> NDArray[np.float64]:
    counted = np.flatnonzero(starts & (codes >= 0))
    weights[counted, codes[counted]] += 1.0
    return weights


def _session(
    first: NDArray[np.bool_], elapsed: NDArray[np.float64], reported: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which events open a session, and the minutes that each adds.

    An event's timestamp is the end of the minutes it reports, so these are no idle time. Without
    reported minutes the time since the last event of the session counts.
    """
    minutes = elapsed / _MICROSECONDS_PER_MINUTE
    opens = first | (minutes - np.nan_to_num(reported) > SESSION_GAP_MINUTES)
    return opens, np.where(np.isnan(reported), np.where(opens, 0.0, minutes), reported)

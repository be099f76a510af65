"""New events among those a member is known by: each counted once, in its place, or told to be too late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.stream.member_states import MemberStates
from feature_repo.transforms.calendar import Instants

LATENESS: Final = timedelta(hours=1)
"""How far an event may lie behind its member's newest and still count at once."""
MOST_UNSETTLED: Final = 500
"""Events of a member that are kept as they are; beyond that the oldest settle early."""


@dataclass(frozen=True, slots=True)
class NewEvents:
    """Watch events in any order: the member of each (row of the states), the event, its id."""

    owners: NDArray[np.int32]
    events: NDArray[np.void]
    ids: NDArray[np.bytes_]

    def __len__(self) -> int:
        return len(self.owners)


@dataclass(frozen=True, slots=True)
class Arrived:
    """States with the new events among theirs, nothing settled yet.

    ``is_new`` (m,) marks the events that were not there before; ``duplicates`` and ``late`` count those that
    changed nothing.
    """

    states: MemberStates
    is_new: NDArray[np.bool_]
    duplicates: int
    late: int

    def new_plays(self) -> list[tuple[int, int, int]]:
        """Return the new plays, each (member, title code, microseconds); a resuming one is a play, too."""
        played = np.flatnonzero(self.is_new & self.states.events["play"])
        events = self.states.events[played]
        columns = self.states.owners[played], events["title"], events["timestamp"]
        return list(zip(*(column.tolist() for column in columns), strict=True))


def arrive(states: MemberStates, new: NewEvents) -> Arrived:
    """Put new events in their places.

    An event id counts once per member, with its earliest timestamp. An event before its member's
    ``settled_until`` is late: it changes no state here, and counts when the features are next built from
    history.
    """
    late = new.events["timestamp"] < states.settled_until[new.owners]
    owners = np.concatenate([states.owners, new.owners[~late]])
    events = np.concatenate([states.events, new.events[~late]])
    ids = np.concatenate([states.ids, new.ids[~late]])
    is_new = np.arange(len(owners)) >= len(states.owners)
    # What is known already comes first among equals.
    order = np.lexsort((is_new, ids, events["timestamp"], owners))
    owners, events, ids, is_new = owners[order], events[order], ids[order], is_new[order]
    kept = _first_of_each(owners, ids)
    duplicates = int(np.count_nonzero(~kept))
    merged = MemberStates(states.settled, states.settled_until, owners[kept], events[kept], ids[kept])
    return Arrived(merged, is_new[kept], duplicates, int(late.sum()))


def settle_at(states: MemberStates, lateness: timedelta = LATENESS) -> Instants:
    """Return the instant (n,) before which each member's events are to be settled."""
    edges = np.searchsorted(states.owners, np.arange(len(states) + 1))
    until = states.settled_until.copy()
    there = np.flatnonzero(np.diff(edges))
    timestamps = states.events["timestamp"]
    newest = timestamps[edges[there + 1] - 1]
    oldest_kept = timestamps[np.maximum(edges[there], edges[there + 1] - MOST_UNSETTLED)]
    crowded = np.diff(edges)[there] > MOST_UNSETTLED
    until[there] = np.maximum(until[there], newest - lateness // timedelta(microseconds=1))
    until[there] = np.where(crowded, np.maximum(until[there], oldest_kept), until[there])
    return until


def first_new(arrived: Arrived) -> Instants:
    """Return the instant (n,) of each member's first new event; the end of time where there is none."""
    first = np.full(len(arrived.states), np.iinfo(np.int64).max)
    rows = np.flatnonzero(arrived.is_new)[::-1]
    first[arrived.states.owners[rows]] = arrived.states.events["timestamp"][rows]
    return first


def _first_of_each(owners: NDArray[np.int32], ids: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    """Mark the first event of each (member, id) in the order given."""
    order = np.lexsort((np.arange(len(ids)), ids, owners))
    first = np.ones(len(ids), dtype=np.bool_)
    if len(ids) > 1:
        same = (np.diff(owners[order]) == 0) & (ids[order][1:] == ids[order][:-1])
        first[order[1:][same]] = False
    return first

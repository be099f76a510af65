"""A batch's effects on features: which rows are new, by the same fold that history goes through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.stream.arrival import Arrived, first_new, settle_at
from feature_repo.stream.member_states import MemberStates
from feature_repo.transforms.arrow_columns import record_batch
from feature_repo.transforms.calendar import Instants, hour_end
from feature_repo.transforms.title_metadata import GenreVersions
from feature_repo.transforms.user_session import just_after, session_columns
from feature_repo.transforms.user_snapshot import fold, last_of_each, snapshot_columns
from feature_repo.transforms.user_state import UserState
from feature_repo.transforms.watch_log import WatchLog


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What events are enriched with: the titles by code, and their genres as they were known over time."""

    vocabulary: pa.StringArray
    genres: GenreVersions


@dataclass(frozen=True, slots=True)
class Advanced:
    """``states`` after a batch, and the feature rows that it makes or changes.

    ``sessions`` and ``snapshots`` are rows of USER_SESSION and USER_SNAPSHOT, ordered by member and time; a
    snapshot is made once its hour is over by the member's own events. ``open_hours`` (n,) says for which full
    hour each member's next snapshot is due.
    """

    states: MemberStates
    sessions: pa.RecordBatch
    snapshots: pa.RecordBatch
    open_hours: Instants


def advance_members(
    arrived: Arrived,
    users: Sequence[str],
    catalogue: Catalogue,
    created_at: datetime,
    lateness: timedelta,
) -> Advanced:
    """Fold the arrived events; ``users`` are the members' ids, in the order of the states."""
    states = arrived.states
    owners, timestamps = states.owners, states.events["timestamp"]
    first, until = first_new(arrived)[owners], settle_at(states, lateness)
    session = _within(last_of_each(owners, timestamps), timestamps >= first)
    hours = hour_end(timestamps)
    newest = _last_of_each_member(states)
    # The hour before the first new event may have been open until now.
    changed = timestamps >= first
    changed[:-1] |= (owners[1:] == owners[:-1]) & changed[1:]
    closed = _within(last_of_each(owners, hours), changed & (hours < hours[newest][owners]))
    settling = _settling(states, until)
    recorded = np.unique(np.concatenate([session, closed, settling]))
    folded = fold(_log(states, users, catalogue.vocabulary), catalogue.genres, recorded, states.settled)

    def state_after(events: NDArray[np.int64]) -> UserState:
        return folded.take(np.searchsorted(recorded, events))

    return Advanced(
        _settled(states, until, settling, state_after(settling)),
        _rows(s.USER_SESSION, users, owners[session], just_after(timestamps[session]), created_at,
              session_columns(state_after(session), catalogue.vocabulary)),
        _rows(s.USER_SNAPSHOT, users, owners[closed], hours[closed], created_at,
              snapshot_columns(state_after(closed), catalogue.vocabulary)),
        hours[newest],
    )  # fmt: skip


def settle(
    states: MemberStates, users: Sequence[str], catalogue: Catalogue, lateness: timedelta
) -> MemberStates:
    """Return the states with everything settled that lies further than ``lateness`` behind the newest."""
    until = settle_at(states, lateness)
    settling = _settling(states, until)
    log = _log(states, users, catalogue.vocabulary)
    return _settled(states, until, settling, fold(log, catalogue.genres, settling, states.settled))


def snapshots_now(
    states: MemberStates, users: Sequence[str], hours: Instants, catalogue: Catalogue, created_at: datetime
) -> pa.RecordBatch:
    """Return USER_SNAPSHOT rows of the members, at the full ``hours`` (n,) that end their newest events'."""
    newest = _last_of_each_member(states)
    folded = fold(_log(states, users, catalogue.vocabulary), catalogue.genres, newest, states.settled)
    return _rows(
        s.USER_SNAPSHOT, users, states.owners[newest], hours, created_at,
        snapshot_columns(folded, catalogue.vocabulary),
    )  # fmt: skip


def _last_of_each_member(states: MemberStates) -> NDArray[np.int64]:
    return last_of_each(states.owners, np.zeros(len(states.owners), dtype=np.int64))


def _settling(states: MemberStates, until: Instants) -> NDArray[np.int64]:
    """Return each member's last event before ``until`` (n,), where there is one."""
    before = states.events["timestamp"] < until[states.owners]
    return _within(last_of_each(states.owners, before.astype(np.int64)), before)


def _within(rows: NDArray[np.int64], wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    return rows[wanted[rows]]


def _settled(
    states: MemberStates, until: Instants, events: NDArray[np.int64], after: UserState
) -> MemberStates:
    """Move what lies before ``until`` into the settled states; ``events`` are the last ones to go."""
    settled = states.settled.take(slice(None))
    settled.put(states.owners[events].astype(np.int64), after)
    kept = states.events["timestamp"] >= until[states.owners]
    return MemberStates(settled, until, states.owners[kept], states.events[kept], states.ids[kept])


def _log(states: MemberStates, users: Sequence[str], vocabulary: pa.StringArray) -> WatchLog:
    events = states.events
    return WatchLog(
        users=pa.array(users, pa.string()),
        titles=vocabulary,
        user_codes=states.owners,
        title_codes=events["title"],
        timestamps=events["timestamp"],
        plays=events["play"],
        fractions=events["fraction"].astype(np.float64),
        minutes=events["minutes"].astype(np.float64),
        device_codes=events["device"].astype(np.int32),
    )


def _rows(
    table: s.Table,
    users: Sequence[str],
    owners: NDArray[np.int32],
    instants: Instants,
    created_at: datetime,
    columns: dict[str, pa.Array | NDArray[np.generic]],
) -> pa.RecordBatch:
    ids = pa.array(users, pa.string()).take(pa.array(owners))
    return record_batch(table, {**columns, s.USER_ID: ids, s.EVENT_TIMESTAMP: instants}, created_at)

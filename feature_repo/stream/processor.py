"""The stream processor: batches of the event log become fresh features, each exactly once.

For every batch, in this order:

1. the members' states are read, and advanced by the batch's events;
2. the newest rows are pushed online through Feast; a repetition pushes the same values;
3. states, positions, plays, dead letters and the rows for the lake change in one Redis transaction.

Whoever is killed before 3 has changed nothing but online values that the next owner of the partition pushes
again. Whoever is killed after it has nothing left to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import numpy as np
import pyarrow as pa

from feature_repo import schema as s
from feature_repo.deletion.tombstones import DeletedMembers
from feature_repo.store import FeatureGateway
from feature_repo.stream.arrival import LATENESS, arrive
from feature_repo.stream.batch import Batch, Watching, watching_events
from feature_repo.stream.enrichment import MemberCountries, TitleMetadata
from feature_repo.stream.event_clock import EventClock
from feature_repo.stream.event_log import EventLog, Position
from feature_repo.stream.folding import Advanced, advance_members, snapshots_now
from feature_repo.stream.leases import Leases
from feature_repo.stream.live_plays import Plays, weigh_plays
from feature_repo.stream.state_store import Commit, MembersDeletedError, StateStore
from feature_repo.stream.thumbs import hidden_titles, latest_thumbs, thumbs_of
from feature_repo.stream.title_codes import TitleCodes
from feature_repo.transforms.arrow_columns import microseconds, record_batch

GROUP: Final = "features"
"""The consumer group under which the log knows how far the features have got."""


class Observer(Protocol):
    """Counts what the processor does; ``feature_repo.stream.metrics.StreamMetrics`` is one."""

    def batch_done(self, events: int, duplicates: int, late: int, dead: int) -> None:
        """Count a batch."""

    def online(self, appended_at_ms: list[int]) -> None:
        """Take note that events appended at these instants are online now."""


@dataclass(frozen=True, slots=True)
class ProcessorSettings:
    """``batch``: most entries dealt with at once. ``lateness``: see :mod:`arrival`."""

    batch: int = 5_000
    lateness: timedelta = LATENESS
    members_per_turn: int = 2_000


@dataclass(slots=True)
class Parts:
    """What a processor works with."""

    log: EventLog
    store: StateStore
    gateway: FeatureGateway
    leases: Leases
    codes: TitleCodes
    titles: TitleMetadata
    countries: MemberCountries
    observer: Observer
    clock: Callable[[], datetime]
    events: EventClock
    deleted: DeletedMembers


class Processor:
    """Advances the members of the partitions it holds."""

    def __init__(self, parts: Parts, settings: ProcessorSettings | None = None) -> None:
        self._parts = parts
        self._settings = ProcessorSettings() if settings is None else settings
        self._positions: dict[int, Position | None] = {}

    def step(self, wait: timedelta = timedelta(0)) -> int:
        """Deal with one batch of the partitions held; return how many entries it had.

        Waits up to ``wait`` for the first. Raises ``LeaseLostError`` where a partition was taken over; then
        the batch did not count.
        """
        batch = self._read(wait)
        if not batch.positions:
            return 0
        deletions = self._parts.deleted.refresh()
        batch = batch.without(self._parts.deleted)
        change = Commit(positions=batch.positions, dead=batch.dead, deletions=deletions)
        change.rows.append((s.EVENTS, batch.events))
        if len(batch.events):
            self._parts.events.saw(int(microseconds(batch.events[s.EVENT_TIMESTAMP]).max()))
        duplicates, late = self._watch(batch, change)
        self._take_thumbs(batch, change)
        self._commit(change)
        self._positions |= batch.positions
        for partition, position in batch.positions.items():
            self._parts.log.commit(GROUP, partition, position)
        self._parts.observer.batch_done(len(batch.events), duplicates, late, len(batch.dead))
        self._parts.observer.online(batch.appended_at_ms)
        return len(batch.appended_at_ms)

    def turn_hours(self, now_us: int) -> int:
        """Make the snapshots of members whose hour is over at ``now_us``; return how many."""
        parts, made = self._parts, 0
        for partition in parts.leases.held:
            deletions = parts.deleted.refresh()
            while due := parts.store.due(partition, now_us, self._settings.members_per_turn):
                users, hours = list(due), np.array(list(due.values()), dtype=np.int64)
                states = parts.store.members(users)
                if len(np.unique(states.owners)) < len(users):
                    break  # one of them was deleted since; the others come with the next turn
                rows = snapshots_now(states, users, hours, parts.titles.current(), parts.clock())
                parts.gateway.write_online(s.USER_SNAPSHOT, pa.Table.from_batches([rows]))
                over: dict[str, int | None] = dict.fromkeys(users)
                change = Commit(open_hours={partition: over}, rows=[(s.USER_SNAPSHOT, rows)])
                change.users, change.deletions = users, deletions
                self._commit(change)
                made += len(users)
        return made

    def _read(self, wait: timedelta) -> Batch:
        held = self._parts.leases.held
        # Who holds a partition is the only one to move its position: it is looked up once.
        self._positions = {
            p: self._positions[p] if p in self._positions else self._parts.store.position(p) for p in held
        }
        limit = max(1, self._settings.batch // max(1, len(held)))
        return Batch.of(self._parts.log.read_each(self._positions, limit, wait))

    def _commit(self, change: Commit) -> None:
        try:
            self._parts.store.commit(change, self._parts.leases)
        except MembersDeletedError:
            self._positions.clear()
            self._take_back({*change.users, *change.thumbs})
            raise
        except Exception:
            self._positions.clear()  # somebody else may have moved them, or this one after all
            raise

    def _take_back(self, users: set[str]) -> None:
        """Remove what was pushed online of members who were deleted since."""
        self._parts.deleted.refresh()
        for user in users:
            if self._parts.deleted.deleted_at(user) is not None:
                self._parts.gateway.forget_member(user)

    def _watch(self, batch: Batch, change: Commit) -> tuple[int, int]:
        """Advance the members who watched; return how many events were duplicates, and how many late."""
        parts = self._parts
        watched = watching_events(batch.events, batch.partitions, parts.codes)
        if not watched.users:
            return 0, 0
        arrived = arrive(parts.store.members(watched.users), watched.new)
        advanced = advance_members(
            arrived, watched.users, parts.titles.current(), parts.clock(), self._settings.lateness
        )
        self._push(advanced)
        change.users, change.states = watched.users, advanced.states
        change.rows += [(s.USER_SESSION, advanced.sessions), (s.USER_SNAPSHOT, advanced.snapshots)]
        for user, partition, hour in zip(
            watched.users, watched.partitions.tolist(), advanced.open_hours.tolist(), strict=True
        ):
            change.open_hours.setdefault(partition, {})[user] = hour
        change.plays = self._plays(watched, arrived.new_plays())
        return arrived.duplicates, arrived.late

    def _push(self, advanced: Advanced) -> None:
        """Bring each member's newest rows online."""
        for table, rows in (
            (s.USER_SNAPSHOT, advanced.snapshots), (s.USER_SESSION, advanced.sessions),
        ):  # fmt: skip
            newest = _last_of_each_user(rows)
            self._parts.gateway.write_online(table, pa.Table.from_batches([newest]))

    def _plays(self, watched: Watching, played: list[tuple[int, int, int]]) -> Plays:
        """Weigh plays, each (place of the member, title code, instant)."""
        countries = self._parts.countries.of([watched.users[owner] for owner, _, _ in played])
        vocabulary = self._parts.codes.vocabulary
        titles = vocabulary.take(pa.array([title for _, title, _ in played], pa.int32())).to_pylist()
        instants = [at for _, _, at in played]
        return weigh_plays(zip(countries, titles, instants, strict=True))

    def _take_thumbs(self, batch: Batch, change: Commit) -> None:
        thumbs = thumbs_of(batch.events)
        if not thumbs:
            return
        known = self._parts.store.thumbs(list(dict.fromkeys(user for user, *_ in thumbs)))
        change.thumbs = latest_thumbs(known, thumbs)
        if not change.thumbs:
            return
        hidden = {user: hidden_titles(known[user] | new) for user, new in change.thumbs.items()}
        columns = {
            s.USER_ID: pa.array(hidden, pa.string()),
            s.EVENT_TIMESTAMP: np.array([at for _, at in hidden.values()], dtype=np.int64),
            s.HIDDEN_TITLE_IDS: pa.array([ids for ids, _ in hidden.values()], pa.list_(pa.string())),
        }
        rows = record_batch(s.USER_HIDDEN, columns, self._parts.clock())
        self._parts.gateway.write_online(s.USER_HIDDEN, pa.Table.from_batches([rows]))
        change.rows.append((s.USER_HIDDEN, rows))


def _last_of_each_user(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return the last row of each run of one member's rows."""
    users = rows[s.USER_ID].dictionary_encode().indices.to_numpy()
    return rows.take(pa.array(np.flatnonzero(np.diff(users, append=-1))))

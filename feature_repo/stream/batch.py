"""One batch of the log: what it holds, and everything that changes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.deletion.tombstones import DeletedMembers
from feature_repo.stream.arrival import NewEvents
from feature_repo.stream.event_log import LogEntry, Position
from feature_repo.stream.event_record import decode_events
from feature_repo.stream.member_states import EVENT
from feature_repo.stream.state_store import DeadLetter
from feature_repo.stream.title_codes import TitleCodes
from feature_repo.transforms.arrow_columns import codes_of, microseconds
from feature_repo.transforms.watch_log import known_fractions


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries of several partitions, decoded.

    ``events`` are rows of EVENTS in the order of the log, ``partitions`` (n,) that of each; ``positions``
    says up to where each partition was read, ``appended_at_ms`` when each entry was appended, and
    ``taken_at_ms`` (n,) when the entry of each event was.
    """

    events: pa.RecordBatch
    partitions: NDArray[np.int32]
    positions: dict[int, Position]
    appended_at_ms: list[int]
    dead: list[DeadLetter] = field(default_factory=list)
    taken_at_ms: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, read: dict[int, list[LogEntry]]) -> Batch:
        """Decode what was read of each partition; what is no event becomes a dead letter."""
        placed = [(partition, entry) for partition, entries in read.items() for entry in entries]
        events, good, poison = decode_events(
            [entry.value for _, entry in placed], [entry.appended_at_ms for _, entry in placed]
        )
        dead = [
            DeadLetter(placed[at][0], placed[at][1].position, reason, placed[at][1].value)
            for at, reason in poison
        ]
        return cls(
            events,
            np.array([placed[at][0] for at in good], dtype=np.int32),
            {partition: entries[-1].position for partition, entries in read.items() if entries},
            [entry.appended_at_ms for _, entry in placed],
            dead,
            [placed[at][1].appended_at_ms for at in good],
        )

    def without(self, deleted: DeletedMembers) -> Batch:
        """Return the batch without events that were appended before their member was deleted."""
        users = self.events[s.USER_ID].dictionary_encode()
        deleted_at = [deleted.deleted_at(user) for user in users.dictionary.to_pylist()]
        if not any(deleted_at):
            return self
        until = np.array([at or -1 for at in deleted_at], dtype=np.int64)[users.indices.to_numpy()]
        kept = np.array(self.taken_at_ms, dtype=np.int64) > until
        taken_at = [at for at, is_kept in zip(self.taken_at_ms, kept.tolist(), strict=True) if is_kept]
        return replace(
            self, events=self.events.filter(pa.array(kept)), partitions=self.partitions[kept],
            taken_at_ms=taken_at,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Watching:
    """The watch events of a batch by member: ``users`` are distinct, ``new.owners`` are places in them.

    ``partitions`` (users,) is that of each member; ``titles`` (n,) the title of each event.
    """

    users: list[str]
    partitions: NDArray[np.int32]
    new: NewEvents
    titles: pa.StringArray


def watching_events(events: pa.RecordBatch, partitions: NDArray[np.int32], codes: TitleCodes) -> Watching:
    """Return the watch events among rows of EVENTS; ``partitions`` (n,) is that of each row."""
    wanted = pc.is_in(events[s.EVENT_TYPE], value_set=pa.array(s.WATCH_EVENT_TYPES))
    rows = events.filter(wanted)
    of_user = rows[s.USER_ID].dictionary_encode()
    owners = of_user.indices.to_numpy().astype(np.int32)
    of_member = np.zeros(len(of_user.dictionary), dtype=np.int32)
    of_member[owners] = partitions[wanted.to_numpy(zero_copy_only=False)]
    return Watching(
        of_user.dictionary.to_pylist(), of_member,
        NewEvents(owners, _events(rows, codes), _ids(rows[s.EVENT_ID])), rows[s.TITLE_ID],
    )  # fmt: skip


def _events(rows: pa.RecordBatch, codes: TitleCodes) -> NDArray[np.void]:
    events = np.empty(len(rows), EVENT)
    events["timestamp"] = microseconds(rows[s.EVENT_TIMESTAMP])
    events["title"] = codes.of(rows[s.TITLE_ID])
    events["play"] = pc.equal(rows[s.EVENT_TYPE], s.WATCH_EVENT_TYPES[0]).to_numpy(zero_copy_only=False)
    events["device"] = codes_of(pa.chunked_array([rows[s.DEVICE_TYPE]]), pa.array(s.DEVICES))
    events["fraction"] = known_fractions(rows[s.EVENT_TYPE], rows[s.WATCH_FRACTION])
    events["minutes"] = rows[s.DURATION_MINUTES].to_numpy(zero_copy_only=False)  # nulls become NaN
    return events


def _ids(ids: pa.StringArray) -> NDArray[np.bytes_]:
    encoded: Sequence[bytes] = ids.cast(pa.binary()).to_pylist()
    return np.array(encoded, dtype=np.bytes_) if encoded else np.empty(0, "S1")

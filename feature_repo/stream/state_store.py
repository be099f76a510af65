"""Where the stream keeps what it knows, and the one step by which a batch comes to count.

Everything a batch changes here, its positions in the log among it, changes in one Redis transaction that
fails if another processor has taken a partition over. What it changes elsewhere comes before (online
features, which a repetition writes again as they are) or after (the lake, through the outbox).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import redis

from feature_repo import schema as s
from feature_repo.deletion.tombstones import VERSION
from feature_repo.stream.event_log import Position
from feature_repo.stream.leases import LeaseLostError, Leases
from feature_repo.stream.live_plays import Plays, add_plays
from feature_repo.stream.member_states import MemberStates, packed, unpacked

PREFIX: Final = "marquee:stream:"
DEAD_LETTERS: Final = PREFIX + "dead_letters"
OUTBOX: Final = PREFIX + "outbox"
FLUSHED: Final = PREFIX + "flushed"
_MEMBER: Final = PREFIX + "member:{user_id}"
_POSITION: Final = PREFIX + "position:{partition}"
_OPEN_HOURS: Final = PREFIX + "open_hours:{partition}"
_MOST_DEAD_LETTERS: Final = 100_000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record of the log that is no event: where it stands, what it holds, what is wrong with it."""

    partition: int
    position: Position
    reason: str
    value: bytes


@dataclass(slots=True)
class Commit:
    """Everything that a batch changes at once.

    ``positions``: per partition, up to where the log has been dealt with. ``open_hours``: per partition and
    member the instant (microseconds) at which a snapshot is due; None: no longer. ``rows``: what goes to the
    lake. ``deletions``: the version of the tombstones that the batch heeds; None: it is of no member's doing.
    """

    positions: dict[int, Position] = field(default_factory=dict)
    users: list[str] = field(default_factory=list)
    states: MemberStates | None = None
    open_hours: dict[int, dict[str, int | None]] = field(default_factory=dict)
    plays: Plays = field(default_factory=dict)
    thumbs: dict[str, dict[str, str]] = field(default_factory=dict)
    rows: list[tuple[s.Table, pa.RecordBatch]] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    deletions: int | None = None


class MembersDeletedError(LeaseLostError):
    """Members were deleted since the batch was begun; it does not count, and is made again without them."""


class StateStore:
    """The stream's own part of Redis."""

    def __init__(self, client: Any) -> None:
        self.client = client

    @classmethod
    def open(cls, redis_url: str) -> StateStore:
        """Connect; the connection is made at the first call."""
        return cls(redis.Redis.from_url(redis_url, socket_timeout=30.0, socket_connect_timeout=2.0))

    def position(self, partition: int) -> Position | None:
        """Return up to where a partition has been dealt with; None before its first commit."""
        value = self.client.get(_POSITION.format(partition=partition))
        return None if value is None else value.decode()

    def members(self, users: Sequence[str]) -> MemberStates:
        """Return the members' states; raises ``StateLayoutError`` for those of another version."""
        return unpacked(self.client.mget([member_key(user) for user in users]) if users else [])

    def thumbs(self, users: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return, per member, title to the latest thumb, as :mod:`thumbs` writes it."""
        with self.client.pipeline(transaction=False) as pipeline:
            for user in users:
                pipeline.hgetall(thumbs_key(user))
            found = pipeline.execute()
        return {
            user: {title.decode(): thumb.decode() for title, thumb in of_user.items()}
            for user, of_user in zip(users, found, strict=True)
        }

    def due(self, partition: int, now_us: int, limit: int) -> dict[str, int]:
        """Return members whose open hour is over at ``now_us``, with the full hour that ended it."""
        key = _OPEN_HOURS.format(partition=partition)
        found = self.client.zrangebyscore(key, "-inf", now_us, start=0, num=limit, withscores=True)
        return {user.decode(): int(hour) for user, hour in found}

    def commit(self, change: Commit, leases: Leases) -> None:
        """Make a batch count, wholly or not at all.

        Raises :class:`LeaseLostError` where it does not, :class:`MembersDeletedError` among them.
        """
        partitions = tuple({*change.positions, *change.open_hours})
        with self.client.pipeline(transaction=True) as transaction:
            try:
                leases.guard(transaction, partitions)
                if change.deletions is not None:
                    guard_deletions(transaction, change.deletions)
                transaction.multi()
                write(transaction, change)
                transaction.execute()
            except redis.WatchError as error:
                raise LeaseLostError("a partition was taken over while its batch was written") from error


def guard_deletions(transaction: Any, version: int) -> None:
    """Let ``transaction`` (a watching pipeline) fail if members are deleted before it is executed.

    Raises :class:`MembersDeletedError` where that has happened since ``version`` of the tombstones.
    """
    transaction.watch(VERSION)
    if int(transaction.get(VERSION) or 0) != version:
        raise MembersDeletedError("members were deleted while the batch was made")


def write(transaction: Any, change: Commit) -> None:
    """Queue a change on a pipeline."""
    for partition, position in change.positions.items():
        transaction.set(_POSITION.format(partition=partition), position)
    if change.states is not None and change.users:
        values = packed(change.states)
        transaction.mset({member_key(u): v for u, v in zip(change.users, values, strict=True)})
    for partition, hours in change.open_hours.items():
        _write_open_hours(transaction, _OPEN_HOURS.format(partition=partition), hours)
    add_plays(transaction, change.plays)
    for user, thumbs in change.thumbs.items():
        transaction.hset(thumbs_key(user), mapping=thumbs)
    for table, batch in change.rows:
        if batch.num_rows:
            transaction.rpush(OUTBOX, outbox_value(table.name, batch))
    for letter in change.dead:
        fields = {
            "partition": letter.partition, "position": letter.position, "reason": letter.reason,
            "value": letter.value,
        }  # fmt: skip
        transaction.xadd(DEAD_LETTERS, fields, maxlen=_MOST_DEAD_LETTERS, approximate=True)


def member_key(user_id: str) -> str:
    """Return the key of a member's state."""
    return _MEMBER.format(user_id=user_id)


def thumbs_key(user_id: str) -> str:
    """Return the key of a member's thumbs."""
    return f"{PREFIX}thumbs:{user_id}"


def open_hours_key(partition: int) -> str:
    """Return the key of a partition's open hours."""
    return _OPEN_HOURS.format(partition=partition)


def outbox_value(table: str, batch: pa.RecordBatch) -> bytes:
    """Return rows with the name of their table, as the outbox keeps them."""
    sink = pa.BufferOutputStream()
    named = batch.replace_schema_metadata({"table": table})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, named.schema, options=options) as writer:
        writer.write_batch(named)
    value: bytes = sink.getvalue().to_pybytes()
    return value


def outbox_rows(value: bytes) -> tuple[str, pa.Table]:
    """Read what :func:`outbox_value` wrote: the table's name and its rows."""
    rows = pa.ipc.open_stream(value).read_all()
    return rows.schema.metadata[b"table"].decode(), rows.replace_schema_metadata(None)


def _write_open_hours(transaction: Any, key: str, hours: Mapping[str, int | None]) -> None:
    due = {user: hour for user, hour in hours.items() if hour is not None}
    over = [user for user, hour in hours.items() if hour is None]
    if due:
        transaction.zadd(key, due)
    if over:
        transaction.zrem(key, *over)

"""Members who are to be forgotten: at once where pages come from, and in the lake soon after.

A request is kept in the lake, and in Redis, before it is answered, with the member's id until all is done
and without it afterwards. One worker at a time goes over the lake, again and again until it finds nothing
more: what a server, a processor or a join had in hand when the member was deleted may still have been
written.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from uuid import uuid4

import structlog
from redis.exceptions import RedisError

from feature_repo.arrivals import NotTakenInError
from feature_repo.deletion.kept import KeptDeletion, KeptDeletions
from feature_repo.deletion.lake_rows import erase_member
from feature_repo.deletion.pending import PENDING, put_pending, read_pending, record_key
from feature_repo.deletion.restoring import restore, restore_if_lost
from feature_repo.deletion.tombstones import KEEP, DeletedMembers, digest, now_ms, put_up
from feature_repo.ingest.lake import Lake
from feature_repo.store import FeatureGateway
from feature_repo.stream.event_log import EventLog, EventLogError
from feature_repo.stream.forgetting import forget_member

_WORKING: Final = "marquee:deletions_lock"
_LONGEST_WORK: Final = timedelta(minutes=30)
_LOOK_EVERY: Final = timedelta(seconds=1)
_MOST_PASSES: Final = 10

_log = structlog.get_logger(__name__)


class UnknownDeletionError(LookupError):
    """No deletion of that id is known: there was none, or it is long ago."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """A request to forget a member; ``removed`` counts rows by table. It does not say which member."""

    deletion_id: str
    state: Literal["pending", "done"]
    requested_at: datetime
    finished_at: datetime | None = None
    removed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MemberTraces:
    """Where members leave traces. ``open_events`` may raise ``EventLogError``; ``seeds`` forgets seeds."""

    gateway: FeatureGateway
    lake: Lake
    open_events: Callable[[], EventLog]
    seeds: Callable[[str], int]


class DeletionDesk:
    """Takes in deletions and carries them out.

    ``settle``: how long after a request the lake is gone over first, so that servers have written by then
    what they had shown. ``wall`` is an aware clock. ``deleted`` are the tombstones, read by connections that
    a page may wait for.
    """

    def __init__(
        self,
        client: Any,
        deleted: DeletedMembers,
        traces: MemberTraces,
        wall: Callable[[], datetime],
        settle: timedelta,
    ) -> None:
        self._client, self._traces, self._wall, self._settle = client, traces, wall, settle
        self.deleted = deleted
        self._kept, self._recalled = KeptDeletions(traces.lake), False
        self._let_go: Callable[[Callable[[str], bool]], None] = lambda _deleted: None
        self._seen = 0
        self._once_more = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Carry out in the background what is due, whoever took it in."""
        self._thread = threading.Thread(target=self._keep_working, name="deletions", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the background work; what is pending is taken up by another worker, or at the next start."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(1.0)

    def also_forget(self, let_go: Callable[[Callable[[str], bool]], None]) -> None:
        """Have ``let_go`` told what says who was deleted, whenever somebody was, through whichever worker.

        It is what this worker keeps of members in its memory.
        """
        self._let_go = let_go

    def follow(self) -> None:
        """Let this worker's memory go of whoever was deleted since the last look; raises ``RedisError``.

        It is done once more at the look after that: a page may have read a member just before, and keep what
        it read just afterwards.
        """
        version = self.deleted.refresh()
        changed = version != self._seen
        if changed or self._once_more:
            self._let_go(lambda user_id: self.deleted.deleted_at(user_id) is not None)
        self._seen, self._once_more = version, changed

    def request(self, user_id: str) -> Deletion:
        """Take in a deletion, and forget the member online before returning.

        Raises ``RedisError``, or ``NotTakenInError`` where the lake cannot be written, if nothing was taken
        in. What fails after that is made up for by the background work.
        """
        kept = KeptDeletion(
            deletion_id=str(uuid4()), requested_at=self._wall(), deleted_ms=now_ms(self._client),
            digest=digest(user_id), user_id=user_id,
        )  # fmt: skip
        self._take_in(kept)
        try:
            self._forget_online(user_id, kept.deleted_ms)
        except (RedisError, EventLogError) as error:
            _log.error("a member is not forgotten online yet; it is tried again", reason=str(error))
        self._follow_now()
        return Deletion(kept.deletion_id, "pending", kept.requested_at)

    def _take_in(self, deletion: KeptDeletion) -> None:
        try:
            self.recall()  # or a tombstone of today would hide that Redis has lost those before it
            self._kept.keep(deletion)
        except OSError as error:
            raise NotTakenInError(error) from error
        try:
            with self._client.pipeline(transaction=True) as transaction:
                put_up(transaction, deletion.digest, deletion.deleted_ms)
                put_pending(transaction, deletion)
                transaction.execute()
        except RedisError:
            with suppress(OSError):
                self._kept.remove(deletion)
            raise

    def recall(self) -> None:
        """Take back from the lake what Redis has lost, and at the first call what it was never told.

        Raises ``RedisError``, and ``OSError`` where the lake cannot be read.
        """
        (restore_if_lost if self._recalled else restore)(self._client, self._kept)
        self._recalled = True

    def _follow_now(self) -> None:
        """Do not wait for the next look in the worker that was asked."""
        try:
            self.follow()
        except RedisError as error:
            _log.error("a member is not forgotten in memory yet; it is tried again", reason=str(error))

    def deletion(self, deletion_id: str) -> Deletion:
        """Return how far a deletion is; raises :class:`UnknownDeletionError`."""
        found = {k.decode(): v.decode() for k, v in self._client.hgetall(record_key(deletion_id)).items()}
        if not found:
            raise UnknownDeletionError(f"deletion_id = {deletion_id!r}: no such deletion, or one of long ago")
        finished = found.get("finished_at")
        return Deletion(
            deletion_id,
            "pending" if finished is None else "done",
            datetime.fromisoformat(found["requested_at"]),
            None if finished is None else datetime.fromisoformat(finished),
            json.loads(found.get("removed", "{}")),
        )

    def work(self) -> int:
        """Carry out what is due, unless another worker is at it; return how many deletions were finished."""
        if not self._client.zcard(PENDING):
            return 0
        lock = self._client.lock(_WORKING, timeout=_LONGEST_WORK.total_seconds(), blocking=False)
        if not lock.acquire():
            return 0
        try:
            due = (self._wall() - self._settle).timestamp()
            found = self._client.zrangebyscore(PENDING, "-inf", due)
            return sum(self._carry_out(deletion_id.decode()) for deletion_id in found)
        finally:
            lock.release()

    def _keep_working(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY.total_seconds()):
            try:
                self.recall()
                self.follow()
                self.work()
            except Exception as error:  # the thread must outlive whatever is away today
                # Neither trace nor message: both may hold the id of whoever wants to be forgotten.
                _log.error("deleting members failed; trying again", kind=type(error).__name__)

    def _carry_out(self, deletion_id: str) -> bool:
        """Go over everything until a pass finds nothing; return whether one did."""
        key, deletion = record_key(deletion_id), read_pending(self._client, deletion_id)
        user_id = str(deletion.user_id)
        for _ in range(_MOST_PASSES):
            erased = erase_member(self._traces.lake, user_id)
            for table, rows in erased.items():
                self._count(key, table, rows)
            if not self._forget_online(user_id, deletion.deleted_ms) and not erased:
                self._finish(deletion)
                return True
        return False

    def _count(self, key: str, table: str, rows: int) -> None:
        removed = json.loads(self._client.hget(key, "removed") or "{}")
        self._client.hset(key, "removed", json.dumps(removed | {table: removed.get(table, 0) + rows}))

    def _finish(self, deletion: KeptDeletion) -> None:
        self._kept.keep(deletion.carried_out())
        key = record_key(deletion.deletion_id)
        with self._client.pipeline(transaction=True) as transaction:
            transaction.hset(key, "finished_at", self._wall().astimezone(UTC).isoformat())
            transaction.hdel(key, "user_id", "deleted_ms")
            transaction.expire(key, KEEP)
            transaction.zrem(PENDING, deletion.deletion_id)
            transaction.execute()

    def _forget_online(self, user_id: str, deleted_ms: int) -> int:
        """Remove what lies outside the lake; return how many things went."""
        traces = self._traces
        log = traces.open_events()
        gone = log.forget(user_id, deleted_ms)
        gone += forget_member(self._client, user_id, log.partitions)
        gone += traces.seeds(user_id)
        return gone + int(traces.gateway.forget_member(user_id))

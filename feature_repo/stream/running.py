"""A processor at work: its share of the partitions, batch after batch, until it is told to stop."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

import structlog
from redis.exceptions import RedisError

from feature_repo.deletion.kept import KeptDeletions
from feature_repo.deletion.restoring import carry_out_again, restore_if_lost
from feature_repo.deletion.tombstones import DeletedMembers
from feature_repo.ingest.lake import Lake
from feature_repo.progress import Progress
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.stream.enrichment import MemberCountries, TitleMetadata
from feature_repo.stream.event_clock import EventClock
from feature_repo.stream.event_log import EventLog, EventLogError
from feature_repo.stream.leases import TIME_TO_LIVE, LeaseLostError, Leases
from feature_repo.stream.metrics import StreamMetrics
from feature_repo.stream.outbox import FLUSH_EVERY, FLUSHING_PARTITION, Outbox
from feature_repo.stream.processor import GROUP, Parts, Processor, ProcessorSettings
from feature_repo.stream.recovery import StatesLostError, keep
from feature_repo.stream.seeding import SEEDING, seed, seeded
from feature_repo.stream.state_store import StateStore
from feature_repo.stream.title_codes import TitleCodes
from feature_repo.title_feed import TitleFeed

_IDLE: Final = timedelta(milliseconds=200)
_SIGN_OF_LIFE: Final = timedelta(minutes=10)
"""Whoever makes the states and gives no sign of life for so long is taken for dead: another begins anew."""
_AWAY: Final = timedelta(seconds=1)
_HOUSEKEEPING: Final = timedelta(milliseconds=500)
_COUNTING_LAG: Final = timedelta(seconds=5)
"""Counting a long lag takes the log milliseconds."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How a processor runs; see the classes that the fields go to."""

    processor: ProcessorSettings = field(default_factory=ProcessorSettings)
    lease: timedelta = TIME_TO_LIVE
    flush_every: timedelta = FLUSH_EVERY


class StreamRunner:
    """One processor process. ``metrics`` count what it does."""

    def __init__(
        self,
        settings: Settings,
        gateway: FeatureGateway,
        log: EventLog,
        stream: StreamSettings | None = None,
        owner: str | None = None,
        metrics: StreamMetrics | None = None,
    ) -> None:
        chosen = StreamSettings() if stream is None else stream
        store = StateStore.open(gateway.online_url)
        lake, codes = Lake(settings.lake), TitleCodes(store.client)
        self.metrics = StreamMetrics(_wall) if metrics is None else metrics
        self._clock = EventClock(time.monotonic)
        self._lake, self._stream = lake, chosen
        self._leases = Leases(store.client, owner or processor_name(), log.partitions, chosen.lease)
        self._parts = Parts(
            log=log, store=store, gateway=gateway, leases=self._leases, codes=codes,
            titles=TitleMetadata(lake, TitleFeed.open(gateway.online_url), codes),
            countries=MemberCountries(gateway), observer=self.metrics, clock=_wall, events=self._clock,
            deleted=DeletedMembers(store.client),
        )  # fmt: skip
        self._processor = Processor(self._parts, chosen.processor)
        self._outbox = Outbox(store, lake, self._leases, chosen.flush_every)
        self._kept_house_at = self._counted_lag_at = float("-inf")

    def seed_if_new(
        self,
        again: bool = False,
        progress: Progress | None = None,
        refill: Callable[[Callable[[], None]], None] | None = None,
    ) -> int | None:
        """Make the members' states from history, where that was not done yet or is wanted ``again``.

        Returns how many members; None where there was nothing to do. ``refill`` is done before, where that
        was not done yet: it brings the features online again, and calls what it is given as it goes on.
        """
        parts, lateness = self._parts, self._stream.processor.lateness
        deletions = KeptDeletions(self._lake)
        restore_if_lost(parts.store.client, deletions)
        with parts.store.client.lock(SEEDING, timeout=_SIGN_OF_LIFE.total_seconds()) as lock:
            if seeded(parts.store) and not again:
                return None

            def alive(what: str = "", done: int = 0, total: int = 0) -> None:
                keep(lock)
                if progress is not None and what:
                    progress(what, done, total)

            pending = deletions.pending()
            if refill is not None:
                refill(alive)
            if FLUSHING_PARTITION in self._leases.share():
                self._outbox.flush()  # what has been processed must be in the lake that is read now
            members = seed(parts.store, self._lake, parts.codes, parts.titles, lateness, alive)
            # The lake may have been read with rows of theirs that were gone by the time they came online.
            carry_out_again(parts.store.client, pending)
            return members

    def run(self, stop: threading.Event) -> None:
        """Process until ``stop`` is set; then flush what is due, and give the partitions back.

        Raises :class:`StatesLostError` as :meth:`work` does.
        """
        try:
            while not stop.is_set():
                self.work(_IDLE)
        finally:
            self.leave()

    def work(self, wait: timedelta = timedelta(0)) -> int:
        """Deal with one batch, and with whatever else is due; return how many entries it had.

        Waits up to ``wait`` for a batch. Nothing is lost by a failure: what was not committed is read again.
        Raises nothing but :class:`StatesLostError`: then this runner remembers what is true no more.
        """
        try:
            self._keep_house()
            if not self._leases.held:
                time.sleep(wait.total_seconds())
            return self._processor.step(wait)
        except LeaseLostError as error:
            self.metrics.lease_lost()
            _log.warning("batch given up", reason=str(error))
        except (RedisError, EventLogError, OSError) as error:
            _log.error("the stream's stores are away; trying again", reason=str(error))
            time.sleep(_AWAY.total_seconds())
        return 0

    def leave(self) -> None:
        """Finish what is due, flush, and give the partitions to the others at once."""
        try:
            self._turn_hours()
            if FLUSHING_PARTITION in self._leases.held:
                self.metrics.flushed(self._outbox.flush())
            self._leases.release()
        except (LeaseLostError, RedisError, OSError) as error:
            _log.warning("left without giving the partitions back; they are free soon", reason=str(error))

    def _keep_house(self) -> None:
        now = time.monotonic()
        if now - self._kept_house_at < _HOUSEKEEPING.total_seconds():
            return
        self._kept_house_at = now
        if not seeded(self._parts.store):
            raise StatesLostError("the stream's states are gone from the store")
        held = self._leases.share()
        self._parts.titles.refresh()
        self._turn_hours()
        self.metrics.flushed(self._outbox.flush_if_due(_wall()))
        if now - self._counted_lag_at >= _COUNTING_LAG.total_seconds():
            self._counted_lag_at = now
            self.metrics.standing({p: self._parts.log.lag(GROUP, p) for p in held})

    def _turn_hours(self) -> None:
        now = self._clock.now_us()
        if now is not None:
            self.metrics.turned(self._processor.turn_hours(now))


def processor_name() -> str:
    """Return a name that no other processor has."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"


def _wall() -> datetime:
    return datetime.now(UTC)

"""Member features for pages, through a store that may be slow, away or emptied.

Reads of one member at the same moment are one read; what was read last is kept for when the store fails.
"""

from __future__ import annotations

import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from feature_repo import schema as s
from feature_repo.transforms.encoding import Arrays
from serving.breaker import CircuitBreaker, Ticks
from serving.members import FeatureReader
from serving.shown_seeds import SeedMemory

JITTER: Final = 0.1
"""Share of the longest age by which entries differ, so that those of one moment do not end at one moment."""
_OWN_TIME: Final = timedelta(hours=1)
"""Pages of instants further from the present read other values, by time-to-live: they are not kept."""
_COLD_SECONDS: Final = 1.0
OUTCOMES: Final = ("found", "unknown", "failed", "cold", "joined", "kept")
"""A read found the member, or nobody; it failed; it was spared: the store is cold, or another one answers it.
Kept: what was read within the hour answered instead.
"""
_NAMES: Final = (s.COUNTRY, s.LANGUAGE, s.MODEL_VERSION)
_LISTS: Final = (s.WATCHED_TITLE_IDS, s.SESSION_TITLE_IDS, s.RECENT_TITLE_IDS, s.SELECTED_TITLE_IDS)


class StoreColdError(LookupError):
    """The store answers, but has lost what it knew."""


@dataclass(frozen=True, slots=True)
class _Kept:
    features: Arrays
    read_at: float


class SteadyReader:
    """Reads members for one worker.

    ``present`` is the service's clock; ``canary`` names a title that the store must know, None for none.
    Up to ``most`` members are kept, for up to ``longest_seconds`` by ``ticks``. ``counted`` is told of every
    read what became of it, one of :data:`OUTCOMES`.
    """

    def __init__(
        self,
        reader: FeatureReader,
        breaker: CircuitBreaker,
        present: Callable[[], datetime],
        canary: Callable[[], str | None],
        most: int = 5_000,
        longest_seconds: float = 3600.0,
        ticks: Ticks = time.monotonic,
        counted: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        self._reader, self._breaker, self._counted = reader, breaker, counted
        self._present, self._canary, self._ticks = present, canary, ticks
        self._most, self._longest = most, longest_seconds
        self._lock = Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._flights: dict[tuple[str, int], Future[Arrays]] = {}
        self._cold = False
        self._cold_at = -_COLD_SECONDS

    def read(self, user_id: str, now: datetime) -> Arrays:
        """Return a member's features, as the store has them; reads that overlap within a second are one.

        Raises what the store does, :class:`~serving.breaker.CircuitOpenError` while it is left alone, and
        :class:`StoreColdError` where it has lost this member with everybody else.
        """
        key = (user_id, int(now.timestamp()))
        with self._lock:
            flight = self._flights.get(key)
            leads = flight is None
            if flight is None:
                flight = self._flights[key] = Future()
        if not leads:
            self._counted("joined")
        else:
            try:
                flight.set_result(self._fresh(user_id, now))
            except BaseException as error:
                flight.set_exception(error)
            finally:
                with self._lock:
                    del self._flights[key]
        return flight.result()

    def last_known(self, user_id: str, now: datetime) -> Arrays:
        """Return what was read of the member within the hour; raises ``LookupError`` where nothing was."""
        with self._lock:
            kept = self._kept.get(user_id)
            if kept is None or self._other_time(now):
                raise LookupError(f"no features of {user_id!r} are kept")
            if self._ticks() - kept.read_at > self._longest * self._share(user_id):
                del self._kept[user_id]
                raise LookupError(f"the features kept of {user_id!r} are too old")
        self._counted("kept")
        return kept.features

    def forget(self, user_id: str) -> None:
        """Let go of what is kept of a member."""
        with self._lock:
            self._kept.pop(user_id, None)

    def forget_those(self, gone: Callable[[str], bool]) -> None:
        """Let go of what is kept of every member of whom ``gone`` says so."""
        with self._lock:
            for user_id in [one for one in self._kept if gone(one)]:
                del self._kept[user_id]

    def _fresh(self, user_id: str, now: datetime) -> Arrays:
        if self._still_cold(now) and self._is_kept(user_id):
            self._counted("cold")
            raise StoreColdError("the feature store is being filled: what is kept says more of its members")
        try:
            features = self._breaker.call(lambda: self._reader.member_features(user_id, now))
        except Exception:
            self._counted("failed")
            raise
        if self._other_time(now):
            return features
        if _known(features):
            self._counted("found")
            self._keep(user_id, features)
            return features
        self._counted("unknown")
        self._require_warm(user_id, now)
        self.forget(user_id)
        return features

    def _keep(self, user_id: str, features: Arrays) -> None:
        with self._lock:
            if self._cold:  # it may be but a part of what will be there
                return
            self._kept[user_id] = _Kept(features, self._ticks())
            self._kept.move_to_end(user_id)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def _is_kept(self, user_id: str) -> bool:
        with self._lock:
            return user_id in self._kept

    def _still_cold(self, now: datetime) -> bool:
        """Say whether the store that was found cold is so still; one page a second looks."""
        with self._lock:
            if not self._cold:
                return False
            if self._ticks() - self._cold_at < _COLD_SECONDS:
                return True
            self._cold_at = self._ticks()
        self._cold = not self._knows_canary(now)
        return self._cold

    def _require_warm(self, user_id: str, now: datetime) -> None:
        """A member known within the hour and unknown now was forgotten, or all were: a title tells."""
        if not self._cold and self._is_kept(user_id) and not self._knows_canary(now):
            self._cold, self._cold_at = True, self._ticks()
        if self._cold:
            raise StoreColdError("the feature store has lost its titles and members; it is being filled")

    def _knows_canary(self, now: datetime) -> bool:
        """Titles' names are the last that a materialization brings: where one is known, all else is there."""
        canary = self._canary()
        if canary is None:
            return True
        snapshot = self._breaker.call(lambda: self._reader.title_snapshot([canary], now))
        return bool(snapshot.columns[s.NAME][0])

    def _other_time(self, now: datetime) -> bool:
        return abs(now - self._present()) > _OWN_TIME

    @staticmethod
    def _share(user_id: str) -> float:
        return 1.0 - JITTER * (zlib.crc32(user_id.encode(errors="replace")) % 1000) / 1000


class GuardedMemory:
    """A memory of seeds in the store that the breaker guards."""

    def __init__(self, memory: SeedMemory, breaker: CircuitBreaker) -> None:
        self._memory, self._breaker = memory, breaker

    def resting(self, user_id: str) -> frozenset[str]:
        """Return the seeds of the member's last pages."""
        return self._breaker.call(lambda: self._memory.resting(user_id))

    def remember(self, user_id: str, seeds: Sequence[str]) -> None:
        """Take note of the seeds of a page."""
        self._breaker.call(lambda: self._memory.remember(user_id, seeds))


def _known(features: Arrays) -> bool:
    """Say whether the store has anything of this member."""
    return any(features[name][0] for name in _NAMES) or any(len(features[name][0]) for name in _LISTS)

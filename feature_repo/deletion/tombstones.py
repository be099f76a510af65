"""Who was deleted and when, so that what was received before does not come to count afterwards.

A tombstone holds a digest of the member's id, not the id. A digest of an id that can be guessed can be
recomputed: it keeps the id from being read, not from being checked.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b
from typing import Any, Final

import redis

KEEP: Final = timedelta(days=90)
"""Longer than the event log keeps anything, and than a bundle is worth going back to."""
TOMBSTONES: Final = "marquee:deleted_members"
VERSION: Final = TOMBSTONES + ":version"


class DeletedMembers:
    """The tombstones, with a copy here that is read again when one was added."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._version = 0
        self._deleted_at: dict[str, int] = {}

    @classmethod
    def open(cls, redis_url: str) -> DeletedMembers:
        """Connect to the online store's Redis; the connection is made at the first call."""
        return cls(redis.Redis.from_url(redis_url, socket_timeout=0.5, socket_connect_timeout=0.5))

    def refresh(self) -> int:
        """Take in what was added, and return a number that rises with every tombstone.

        Where Redis has lost its data, what is known here holds on until it is restored.
        """
        found = self._client.get(VERSION)
        version = self._version if found is None else int(found)
        if version != self._version:
            stones = self._client.zrange(TOMBSTONES, 0, -1, withscores=True)
            self._deleted_at = {key.decode(): int(at) for key, at in stones}
            self._version = version
        return version

    def deleted_at(self, user_id: str) -> int | None:
        """Return when a member was deleted, as of the last :meth:`refresh`; None where they were not."""
        return self._deleted_at.get(digest(user_id)) if self._deleted_at else None

    def is_deleted(self, user_id: str) -> bool:
        """Say whether a member has been deleted by now."""
        self.refresh()
        return self.deleted_at(user_id) is not None


def put_up(transaction: Any, member: str, at_ms: int) -> None:
    """Queue on a pipeline a tombstone for a member's digest, and the end of those that are too old."""
    transaction.zremrangebyscore(TOMBSTONES, "-inf", at_ms - KEEP // timedelta(milliseconds=1))
    transaction.zadd(TOMBSTONES, {member: at_ms})
    transaction.incr(VERSION)


def now_ms(client: Any) -> int:
    """Return the instant by Redis's clock, milliseconds since 1970 UTC."""
    seconds, microseconds = client.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


def digest(user_id: str) -> str:
    """Return what stands for a member on a tombstone."""
    return blake2b(user_id.encode(), digest_size=16, person=b"marquee-deleted").hexdigest()

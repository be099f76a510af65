"""Tells every server which titles changed: a Redis stream beside the online store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import redis

FEED: Final = "marquee:changed_titles"
_LONGEST: Final = 100_000
_BEGINNING: Final = "0-0"


class TitleFeed:
    """Changed titles in the order of their changes. A position is an id of the stream.

    The feed says that something changed, not what: readers ask the feature store, so that an entry that is
    read twice, or dropped because the stream grew too long, does no harm beyond a later refresh.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    @classmethod
    def open(cls, redis_url: str) -> TitleFeed:
        """Connect to the Redis of the online store; the connection is made at the first call."""
        client = redis.Redis.from_url(
            redis_url, decode_responses=True, socket_timeout=2.0, socket_connect_timeout=0.5
        )
        return cls(client)

    def publish(self, title_ids: Iterable[str]) -> None:
        """Announce that these titles changed."""
        with self._client.pipeline(transaction=False) as pipeline:
            for title_id in title_ids:
                pipeline.xadd(FEED, {"title_id": title_id}, maxlen=_LONGEST, approximate=True)
            pipeline.execute()

    def position(self) -> str:
        """Return the position of the latest change; what follows it is new."""
        latest = self._client.xrevrange(FEED, count=1)
        return str(latest[0][0]) if latest else _BEGINNING

    def changes(self, after: str) -> tuple[str, tuple[str, ...]]:
        """Return the position now, and the distinct titles that changed after ``after``, in their order."""
        entries = self._client.xrange(FEED, min=f"({after}")
        if not entries:
            return after, ()
        return str(entries[-1][0]), tuple(dict.fromkeys(fields["title_id"] for _, fields in entries))

    def age(self, after: str) -> float:
        """Return how long ago the first change after ``after`` was published; 0 where there is none.

        In seconds, by Redis's own clock.
        """
        entries = self._client.xrange(FEED, min=f"({after}", count=1)
        if not entries:
            return 0.0
        seconds, microseconds = self._client.time()
        published_ms = int(str(entries[0][0]).partition("-")[0])
        age_ms = int(seconds) * 1000 + int(microseconds) // 1000 - published_ms
        return max(0, age_ms) / 1000

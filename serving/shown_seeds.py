"""Which titles the rows of a member's last pages were grown from, so that the next page grows from others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, Protocol

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

PAGES: Final = 2
"""Pages for which a seed rests."""
_KEY: Final = "marquee:shown_seeds:{user_id}"
_SECONDS: Final = 7 * 86_400


class SeedMemory(Protocol):
    """Remembers seeds; :class:`ShownSeeds` is one."""

    def resting(self, user_id: str) -> frozenset[str]:
        """Return the seeds of the member's last pages."""

    def remember(self, user_id: str, seeds: Sequence[str]) -> None:
        """Take note of the seeds of a page that was shown; none is worth noting, too."""


class ShownSeeds:
    """The memory that all workers share: a short list per member in Redis, for a week after a page."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @classmethod
    def open(cls, redis_url: str, answer_seconds: float) -> ShownSeeds:
        """Connect to a Redis at the first call. A call waits so long for its answer, and asks once."""
        return cls(redis.Redis.from_url(
            redis_url, socket_timeout=answer_seconds, socket_connect_timeout=answer_seconds,
            retry=Retry(NoBackoff(), retries=0),
        ))  # fmt: skip

    def resting(self, user_id: str) -> frozenset[str]:
        """Return the seeds of the member's last PAGES pages."""
        pages = self._client.lrange(_KEY.format(user_id=user_id), 0, PAGES - 1)
        return frozenset(seed for page in pages for seed in json.loads(page))

    def forget(self, user_id: str) -> int:
        """Remove what is remembered of a member; return how many things that were."""
        return int(self._client.delete(_KEY.format(user_id=user_id)))

    def remember(self, user_id: str, seeds: Sequence[str]) -> None:
        """Put a page's seeds before those of earlier pages, in one round trip."""
        key = _KEY.format(user_id=user_id)
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.lpush(key, json.dumps(list(seeds)))
            pipeline.ltrim(key, 0, PAGES - 1)
            pipeline.expire(key, _SECONDS)
            pipeline.execute()

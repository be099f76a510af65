"""Feast's Redis online store, told where Redis is by ``REDIS_URL`` or the embedded server.

Feast reads a connection string ("host:port,option=value"), fixed in ``feature_store.yaml``. Ours may be
on any port, so it is resolved when the first connection is made: ``feast materialize`` then works from
the folder without anything to export.
"""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings

FROM_ENVIRONMENT = "from-environment"
_TIMEOUTS = ("socket_connect_timeout=0.5", "socket_timeout=2.0")
"""Seconds. A batch of a materialization is answered well within them."""


class MarqueeRedisOnlineStoreConfig(RedisOnlineStoreConfig):  # type: ignore[misc]
    """Options of Feast's own Redis store; the connection string may be left to the environment."""

    type: Literal["feature_repo.online_store.MarqueeRedisOnlineStore"] = (
        "feature_repo.online_store.MarqueeRedisOnlineStore"
    )
    connection_string: str = FROM_ENVIRONMENT


class MarqueeRedisOnlineStore(RedisOnlineStore):  # type: ignore[misc]
    """Redis, found through the environment at the first use."""

    def _get_client(self, online_store_config: Any) -> Any:
        known = self._client is not None
        client = super()._get_client(_resolved(online_store_config))
        if not known and isinstance(client, Redis):
            # redis-py would try a dead server for seconds, and a page waits on it.
            client.set_retry(Retry(NoBackoff(), retries=1))
        return client

    async def _get_client_async(self, online_store_config: Any) -> Any:
        return await super()._get_client_async(_resolved(online_store_config))


def _resolved(config: Any) -> Any:
    if config.connection_string == FROM_ENVIRONMENT:
        # Feast hands the same object to every call: resolving it in place does so once.
        config.connection_string = connection_string(_lasting_redis_url())
    return config


def _lasting_redis_url() -> str:
    """A Redis that lives as long as this process."""
    stack = ExitStack()
    url = stack.enter_context(running_redis(Settings.from_environment()))
    atexit.register(stack.close)
    return url


def connection_string(url: str) -> str:
    """Return Feast's form of a Redis URL.

    >>> connection_string("redis://:secret@cache.local:6380/2")
    'cache.local:6380,socket_connect_timeout=0.5,socket_timeout=2.0,db=2,password=secret'

    Raises ``ValueError`` for a scheme other than ``redis`` or ``rediss``.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss"} or not parts.hostname:
        raise ValueError(f"REDIS_URL {url!r}: expected redis://[user:password@]host[:port][/db] or rediss://")
    options = [f"{parts.hostname}:{parts.port or 6379}", *_TIMEOUTS]
    if parts.path.strip("/"):
        options.append(f"db={int(parts.path.strip('/'))}")
    if parts.username:
        options.append(f"username={unquote(parts.username)}")
    if parts.password:
        options.append(f"password={unquote(parts.password)}")
    if parts.scheme == "rediss":
        options.append("ssl=true")
    return ",".join(options)

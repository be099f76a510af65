"""Feast's Redis online store, told where Redis is by ``REDIS_URL`` or the embedded server.

Feast reads a connection string ("host:port,option=value"), fixed in ``feature_store.yaml``. Ours may be
on any port, so it is resolved when the first connection is made: ``feast materialize`` then works from
the folder without anything to export. A profile's connection string, such as a cluster's, stays as it is.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from feast.infra.online_stores.helpers import _redis_key
from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig
from feast.protos.feast.types.EntityKey_pb2 import EntityKey as EntityKeyProto
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.utils import make_tzaware
from google.protobuf.timestamp_pb2 import Timestamp
from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings
from feature_repo.view_freshness import note_newest

FROM_ENVIRONMENT = "from-environment"
QUICK_READS = 16
"""Hashes: a member's are as many as there are views of members."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMEOUTS = ("socket_connect_timeout=0.5", "socket_timeout=2.0")
"""Seconds. A batch of a materialization is answered well within them."""


class MarqueeRedisOnlineStoreConfig(RedisOnlineStoreConfig):  # type: ignore[misc]
    """Options of Feast's own Redis store; the connection string may be left to the environment."""

    type: Literal["feature_repo.online_store.MarqueeRedisOnlineStore"] = (
        "feature_repo.online_store.MarqueeRedisOnlineStore"
    )
    connection_string: str = FROM_ENVIRONMENT
    quick_read_seconds: float | None = None
    """How long a read of up to QUICK_READS hashes waits for Redis; None: as long as any other call."""


class MarqueeRedisOnlineStore(RedisOnlineStore):  # type: ignore[misc]
    """Redis, found through the environment at the first use."""

    _quick: Any = None

    def _get_client(self, online_store_config: Any) -> Any:
        known = self._client is not None
        client = super()._get_client(_resolved(online_store_config))
        if not known and isinstance(client, (Redis, RedisCluster)):
            # redis-py would try a dead server for seconds, and a page waits on it.
            client.set_retry(Retry(NoBackoff(), retries=1))
        return client

    def _read_hash_fields(self, config: Any, commands: list[Any]) -> Any:
        """Read; what a page waits for goes through connections that give up soon, and do not ask twice."""
        seconds = config.online_store.quick_read_seconds
        client = self._get_client(config.online_store)
        if seconds is None or len(commands) > QUICK_READS:
            return super()._read_hash_fields(config, commands)
        if self._quick is None:
            self._quick = (
                _quick_cluster(config.online_store, seconds)
                if isinstance(client, RedisCluster)
                else _quick_client(client, seconds)
            )
        with self._quick.pipeline(transaction=False) as pipeline:
            for key, fields in commands:
                pipeline.hmget(key, fields)
            return pipeline.execute()

    def online_write_batch(
        self,
        config: Any,
        table: Any,
        data: list[tuple[Any, dict[str, Any], datetime, datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows: of an entity the latest stays, and of several of one instant the last one written.

        Feast keeps what is there unless the new row is younger, which would keep the first of two trainings
        on the same data, or of two computations of one instant; or, by ``skip_dedup``, takes whatever comes,
        which would let a materialization undo what the stream knows since. Where a caller has set that option
        all the same, it is heeded.
        """
        if config.online_store.skip_dedup:
            super().online_write_batch(config, table, data, progress)
            self._note(config, table, data)
            return
        latest: dict[bytes, tuple[int, Any]] = {}
        for row in data:
            key, at = row[0].SerializeToString(), _nanos(row[2])
            if key not in latest or at >= latest[key][0]:
                latest[key] = (at, row)
        before = self._written_at(config, table, [row[0] for _, row in latest.values()])
        fresh = [
            row
            for (at, row), known in zip(latest.values(), before, strict=True)
            if known is None or at >= known
        ]
        if progress is not None:
            progress(len(data) - len(fresh))
        if fresh:
            with overwriting(config.online_store):
                super().online_write_batch(config, table, fresh, progress)
            self._note(config, table, fresh)

    def _note(self, config: Any, table: Any, rows: list[Any]) -> None:
        if rows:
            newest = max(make_tzaware(row[2]) for row in rows)
            note_newest(self.client(config), table.name, newest)

    def client(self, config: Any) -> Any:
        """Return the client of the Redis that holds the rows; it is connected at the first call."""
        return self._get_client(config.online_store)

    def forget_entity(self, config: Any, join_key: str, value: str) -> bool:
        """Remove every view's row of an entity with a single text key; return whether there was any."""
        entity = EntityKeyProto(join_keys=[join_key], entity_values=[ValueProto(string_val=value)])
        key = _redis_key(
            config.project, entity, entity_key_serialization_version=config.entity_key_serialization_version
        )
        return bool(self._get_client(config.online_store).delete(key))

    def _written_at(self, config: Any, table: Any, keys: list[Any]) -> list[int | None]:
        """Return when, in nanoseconds since 1970 UTC, each entity's row of the view is of; None: no row."""
        client = self._get_client(config.online_store)
        with client.pipeline(transaction=False) as pipeline:
            for key in keys:
                version = config.entity_key_serialization_version
                pipeline.hget(
                    _redis_key(config.project, key, entity_key_serialization_version=version),
                    f"_ts:{table.name}",
                )
            found = pipeline.execute()
        return [None if value is None else Timestamp.FromString(value).ToNanoseconds() for value in found]

    async def _get_client_async(self, online_store_config: Any) -> Any:
        return await super()._get_client_async(_resolved(online_store_config))


def _quick_client(client: Any, seconds: float) -> Any:
    """Return a client of the same Redis that waits ``seconds`` for an answer, once."""
    once = Retry(NoBackoff(), retries=1, supported_errors=(RedisConnectionError,))
    known = client.connection_pool.connection_kwargs
    quick = Redis(connection_pool=ConnectionPool(
        client.connection_pool.connection_class,
        **{**known, "socket_timeout": seconds, "socket_connect_timeout": seconds, "retry": once},
    ))  # fmt: skip
    quick.set_retry(once)
    return quick


def _quick_cluster(config: Any, seconds: float) -> Any:
    """Return a client of the cluster whose nodes have ``seconds`` for an answer.

    It asks a second time, as the node that has a key now may be another than before.
    """
    # Of an option that is named twice Feast takes the last.
    quick = f"{config.connection_string},socket_timeout={seconds},socket_connect_timeout={seconds}"
    client = RedisOnlineStore()._get_client(config.model_copy(update={"connection_string": quick}))
    client.set_retry(Retry(NoBackoff(), retries=1))
    return client


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


def locate(online_store: Any, url: str | None, read_seconds: float | None) -> None:
    """Tell our Redis store where it is and how long a page's reads wait; any other store is left alone.

    ``online_store`` is the store's configuration. A connection string that a profile brings stays.
    """
    if not isinstance(online_store, MarqueeRedisOnlineStoreConfig):
        return
    online_store.quick_read_seconds = read_seconds
    if url is not None and online_store.connection_string == FROM_ENVIRONMENT:
        online_store.connection_string = connection_string(url)


@contextmanager
def overwriting(online_store: Any) -> Iterator[None]:
    """Let rows be written whatever is there; ``online_store`` is the store's configuration.

    Stores other than Redis do so in any case.
    """
    if not isinstance(online_store, RedisOnlineStoreConfig):
        yield
        return
    before = online_store.skip_dedup
    online_store.skip_dedup = True
    try:
        yield
    finally:
        online_store.skip_dedup = before


def _nanos(instant: datetime) -> int:
    elapsed: timedelta = make_tzaware(instant) - _EPOCH
    return elapsed // timedelta(microseconds=1) * 1000


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

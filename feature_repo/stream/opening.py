"""Opens the event log that a URL names."""

from __future__ import annotations

from urllib.parse import urlsplit

from feature_repo.stream.event_log import PARTITIONS, EventLog, EventLogError
from feature_repo.stream.kafka_log import TOPIC, KafkaEventLog
from feature_repo.stream.redis_log import RedisEventLog


def open_event_log(url: str, partitions: int = PARTITIONS, answer_seconds: float | None = None) -> EventLog:
    """Open a log: ``redis://``, ``rediss://``, or ``kafka://host:port[,host:port]/topic``.

    ``answer_seconds`` bounds each call where Redis keeps the log, and the client need not wait for more.
    An empty log gets so many ``partitions``; one that has another number is refused. Raises
    :class:`EventLogError`, also for a URL of another kind.
    """
    scheme, _, rest = url.partition("://")
    if scheme in {"redis", "rediss"}:
        return RedisEventLog.open(url, partitions, answer_seconds=answer_seconds)
    servers, _, topic = rest.partition("/")
    if scheme == "kafka" and servers:
        return KafkaEventLog.open(servers, topic or TOPIC, partitions)
    shown = urlsplit(url)._replace(netloc=rest.partition("/")[0].rpartition("@")[2]).geturl()
    raise EventLogError(f"event log {shown!r}: use redis://host:port/0, rediss:// or kafka://host:port/topic")

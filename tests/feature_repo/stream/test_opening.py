from __future__ import annotations

from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest

from feature_repo.settings import Settings
from feature_repo.stream.event_log import EventLogError
from feature_repo.stream.kafka_log import KafkaEventLog
from feature_repo.stream.opening import open_event_log
from feature_repo.stream.redis_log import RedisEventLog


def test_redis_is_opened_with_eight_partitions(settings: Settings) -> None:
    with closing(open_event_log(str(settings.redis_url))) as log:
        assert isinstance(log, RedisEventLog)
        assert log.partitions == 8


def test_kafka_is_opened_by_its_brokers_and_the_topic(kafka_cluster: Any) -> None:
    topic = f"events-{uuid4().hex}"
    kafka_cluster.make_topic(topic)
    brokers = f"{kafka_cluster.address},{kafka_cluster.address}"
    with closing(open_event_log(f"kafka://{brokers}/{topic}", 4)) as log:
        assert isinstance(log, KafkaEventLog)
        assert log.partitions == 4


@pytest.mark.parametrize("url", ["amqp://me:secret@host/events", "kafka:///events", "localhost:6379", ""])
def test_another_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(EventLogError, match="use redis://host:port/0") as raised:
        open_event_log(url)
    assert "secret" not in str(raised.value)

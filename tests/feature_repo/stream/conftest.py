"""Kafka without Kafka: the mock cluster inside librdkafka, spoken to over the wire."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer


class KafkaCluster:
    """A broker in this process. It makes a topic, of four partitions, when one is asked for by name."""

    def __init__(self) -> None:
        # With this setting the client starts the cluster; it lives as long as the client.
        self._host = Producer({"test.mock.num.brokers": 1, "log_level": 3})
        brokers = self._host.list_topics(timeout=20).brokers.values()
        self.address = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def make_topic(self, name: str) -> None:
        topic = self._host.list_topics(name, timeout=20).topics[name]
        assert len(topic.partitions) == 4


@pytest.fixture(scope="session")
def kafka_cluster() -> KafkaCluster:
    return KafkaCluster()

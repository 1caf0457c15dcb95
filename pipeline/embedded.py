"""A broker that speaks Kafka's protocol inside this process: librdkafka's, for the demo and the fast tests only.

It keeps little and forgets all, serves a group of one member, makes topics on use (four partitions) and knows no
transactions.
"""

from __future__ import annotations

import time

from confluent_kafka import KafkaException, Producer

START_TIMEOUT = 10.0


class EmbeddedBroker:
    """Listens on loopback from construction to `close`."""

    def __init__(self, brokers: int = 1) -> None:
        # The mock brokers live as long as the client that carries them. The address given is never dialled.
        self._carrier: Producer | None = Producer(
            {"bootstrap.servers": "embedded", "test.mock.num.brokers": brokers, "log_level": 0}
        )
        self.bootstrap = _addresses(self._carrier)

    def close(self) -> None:
        self._carrier = None


def _addresses(carrier: Producer) -> str:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            brokers = carrier.list_topics(timeout=1.0).brokers.values()
        except KafkaException:
            brokers = {}.values()
        if brokers:
            return ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        if time.monotonic() > deadline:
            raise RuntimeError("the embedded broker did not start within 10 s")

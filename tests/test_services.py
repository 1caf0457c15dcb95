"""The services that other tests stand on are the real ones, and can be hurt."""

import psycopg
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.services import KafkaService, fresh_database, kafka, postgres

Security = dict[str, str]
SECONDS = 30.0


def create_topic(bootstrap: str, topic: str, partitions: int = 12, security: Security | None = None) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap} | (security or {}))
    for created in admin.create_topics([NewTopic(topic, partitions, replication_factor=-1)]).values():
        created.result(SECONDS)


def produce(bootstrap: str, topic: str, key: bytes, value: bytes, security: Security | None = None) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True} | (security or {}))
    producer.produce(topic, key=key, value=value, headers={"origin": b"test"})
    assert producer.flush(SECONDS) == 0


def consume_one(bootstrap: str, topic: str, security: Security | None = None) -> tuple[bytes, bytes]:
    settings = {"bootstrap.servers": bootstrap, "group.id": f"{topic}.readers", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings | (security or {}))
    consumer.subscribe([topic])
    try:
        message = consumer.poll(SECONDS)
    finally:
        consumer.close()
    assert message is not None
    assert message.error() is None
    return message.key(), message.value()


def test_a_record_from_librdkafka_passes_through_a_topic_of_twelve_partitions(
    kafka_service: KafkaService, topic_prefix: str
) -> None:
    topic = f"{topic_prefix}.events"
    create_topic(kafka_service.bootstrap, topic)
    produce(kafka_service.bootstrap, topic, b"subscriber-1", b'{"n": 1}')

    assert consume_one(kafka_service.bootstrap, topic) == (b"subscriber-1", b'{"n": 1}')
    described = AdminClient({"bootstrap.servers": kafka_service.bootstrap}).list_topics(topic, SECONDS)
    assert len(described.topics[topic].partitions) == 12


def test_postgresql_says_its_version_in_a_database_of_its_own(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        (version,) = connection.execute("select version()").fetchone() or ("",)
        assert version.startswith("PostgreSQL 18")


def test_postgresql_that_is_killed_comes_back_with_what_it_confirmed() -> None:
    with postgres() as service:
        url = fresh_database(service)
        with psycopg.connect(url) as connection:
            connection.execute("create table kept as select 42 as answer")
        service.kill()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
        service.restart()
        with psycopg.connect(url) as connection:
            assert connection.execute("select answer from kept").fetchone() == (42,)


def test_postgresql_that_is_frozen_answers_again_once_thawed() -> None:
    with postgres() as service:
        service.freeze()
        try:
            with pytest.raises(psycopg.OperationalError, match="timeout"):
                psycopg.connect(service.url, connect_timeout=2)
        finally:
            service.thaw()
        psycopg.connect(service.url).close()


def test_three_brokers_lose_one_and_go_on_then_all_restart(topic_prefix: str) -> None:
    topic = f"{topic_prefix}.events"
    with kafka(brokers=3) as cluster:
        create_topic(cluster.bootstrap, topic)
        produce(cluster.bootstrap, topic, b"k", b"before")
        assert consume_one(cluster.bootstrap, topic) == (b"k", b"before")
        cluster.kill(broker=1)
        produce(cluster.bootstrap, topic, b"k", b"without one")
        assert consume_one(cluster.bootstrap, topic) == (b"k", b"without one")
        cluster.restart()
        produce(cluster.bootstrap, topic, b"k", b"after")
        assert consume_one(cluster.bootstrap, topic) == (b"k", b"after")


@pytest.mark.xdist_group("secured_kafka")
@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_known_user_reads_what_it_wrote(
    secured_kafka: KafkaService, topic_prefix: str, mechanism: str, protocol: str
) -> None:
    topic = f"{topic_prefix}.events"
    assert secured_kafka.sasl is not None
    address = secured_kafka.sasl.ssl if protocol == "SASL_SSL" else secured_kafka.sasl.plaintext
    security = {
        "security.protocol": protocol,
        "sasl.mechanism": mechanism,
        "sasl.username": secured_kafka.sasl.username,
        "sasl.password": secured_kafka.sasl.password,
    } | ({"ssl.ca.location": str(secured_kafka.sasl.ca_file)} if protocol == "SASL_SSL" else {})
    create_topic(address, topic, security=security)
    produce(address, topic, b"k", b"v", security)

    assert consume_one(address, topic, security) == (b"k", b"v")

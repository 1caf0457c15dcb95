"""Real Kafka and real PostgreSQL for tests and benchmarks, with or without Docker.

Where each comes from, in this order: the address in CALENDS_TEST_KAFKA or CALENDS_TEST_POSTGRES; Docker, where an
engine answers; a process of our own. `python -m tests.services` starts both and prints their addresses.
"""

from tests.services.brokers import KafkaService, SaslListeners, kafka
from tests.services.databases import PostgresService, fresh_database, postgres
from tests.services.processes import NotOurs, ServiceUnavailable

__all__ = [
    "KafkaService",
    "NotOurs",
    "PostgresService",
    "SaslListeners",
    "ServiceUnavailable",
    "fresh_database",
    "kafka",
    "postgres",
]

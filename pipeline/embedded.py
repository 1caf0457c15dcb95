"""A broker that speaks Kafka's protocol inside this process: librdkafka's, for the demo and the fast tests only.

It keeps little and forgets all, serves a group of one member, makes topics on use (four partitions) and knows no
transactions. confluent-kafka does not offer it, so it is asked for in librdkafka's own C interface (rdkafka_mock.h).
"""

from __future__ import annotations

import ctypes
from typing import Any

from confluent_kafka import cimpl

PRODUCER = 0
"""librdkafka's word for the kind of client that carries the brokers: they live as long as it does."""


class EmbeddedBroker:
    """Listens on loopback from construction to `close`. Raises RuntimeError where it cannot."""

    def __init__(self, brokers: int = 1) -> None:
        self._library = _library()
        self._carrier = _carrier(self._library)
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._carrier, brokers)
        if not self._cluster:
            raise RuntimeError("the embedded broker did not start")
        # Unasked, a group's first member waits three seconds for others, which the embedded broker does not serve.
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self.bootstrap = str(self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode())

    def close(self) -> None:
        if self._cluster:
            self._library.rd_kafka_mock_cluster_destroy(self._cluster)
            self._library.rd_kafka_destroy(self._carrier)
        self._cluster = None


def _library() -> Any:
    """The librdkafka that confluent-kafka brings along, with the signatures of what is called here."""
    library, pointer, text = ctypes.CDLL(cimpl.__file__), ctypes.c_void_p, ctypes.c_char_p
    for name, result, *arguments in (
        ("rd_kafka_conf_new", pointer),
        ("rd_kafka_conf_set", ctypes.c_int, pointer, text, text, text, ctypes.c_size_t),
        ("rd_kafka_new", pointer, ctypes.c_int, pointer, text, ctypes.c_size_t),
        ("rd_kafka_destroy", None, pointer),
        ("rd_kafka_mock_cluster_new", pointer, pointer, ctypes.c_int),
        ("rd_kafka_mock_cluster_bootstraps", text, pointer),
        ("rd_kafka_mock_cluster_destroy", None, pointer),
        ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, pointer, ctypes.c_int32),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _carrier(library: Any) -> int:
    """A silent client that is connected to nothing."""
    configuration, why = library.rd_kafka_conf_new(), ctypes.create_string_buffer(200)
    library.rd_kafka_conf_set(configuration, b"log_level", b"0", why, len(why))
    made = library.rd_kafka_new(PRODUCER, configuration, why, len(why))
    if not made:
        raise RuntimeError(f"the embedded broker did not start: {why.value.decode()}")
    return int(made)

"""One calendar at ECAL that nobody calls, and a broker in the process with events in it: what commands look at."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from confluent_kafka import Producer

from pipeline.embedded import EmbeddedBroker

SETTINGS = """
kafka: {{bootstrap_servers: "{bootstrap}", group_id: one-calendar}}
ledger: {{url: "sqlite:///{folder}/ledger.db"}}
layers: [{layer}]
destinations:
  calendar:
    vendor: ecal
    credential: {{api_key: {{env: NOBODY}}, api_secret: {{env: NOBODY}}}}
    defaults: {{location: Online, all_day: true}}
rules: rules.yaml
"""


@contextmanager
def published(folder: Path, layer: str, records: Iterable[tuple[str, str, bytes]]) -> Iterator[None]:
    """The settings are in the folder, and the records, (topic, key, value), in the broker that they name."""
    with closing(EmbeddedBroker()) as broker:
        (folder / "calends.yaml").write_text(SETTINGS.format(bootstrap=broker.bootstrap, folder=folder, layer=layer))
        with Producer({"bootstrap.servers": broker.bootstrap, "acks": "all"}) as producer:
            for topic, key, value in records:
                producer.produce(topic, value, key)
            assert producer.flush(30) == 0
        yield


def event(kind: str, hour: int, data: Mapping[str, object]) -> bytes:
    """A domain event of the first of November."""
    return json.dumps({"type": kind, "time": f"2026-11-01T0{hour}:00:00Z", "data": data}).encode()

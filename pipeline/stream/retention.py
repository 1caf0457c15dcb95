"""How long topics keep what is in them, as their settings in Kafka say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from pipeline.stream.connection import KafkaConfig, StreamError, connection_of


@dataclass(frozen=True, slots=True)
class Kept:
    """`compacted`: a record goes once a newer one has its key, or a null; `seconds`: it expires after so long; None:
    never."""

    compacted: bool
    seconds: float | None


async def retention(config: KafkaConfig, topics: Sequence[str]) -> Mapping[str, Kept]:
    """Of the topics that there are. Raises StreamError."""
    client = AIOKafkaAdminClient(**connection_of(config))
    try:
        await client.start()
        there = set(await client.list_topics())
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics if name in there]
        answers = await client.describe_configs(asked) if asked else []
        found = {resource[3]: resource[4] for answer in answers for resource in answer.resources}
        return {name: _kept({one[0]: one[1] for one in settings}) for name, settings in found.items()}
    except (KafkaError, OSError, ValueError) as error:
        raise StreamError(type(error).__name__) from None
    finally:
        await client.close()


def _kept(settings: Mapping[str, str | None]) -> Kept:
    policies = (settings.get("cleanup.policy") or "delete").split(",")
    milliseconds = float(settings.get("retention.ms") or -1)
    expires = "delete" in policies and milliseconds >= 0
    return Kept("compact" in policies, milliseconds / 1000.0 if expires else None)

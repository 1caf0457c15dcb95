"""What the settings say of Kafka, as its clients take it."""

from __future__ import annotations

from pipeline.registry import RegistryConfig
from pipeline.rules.evaluate import RuleSet
from pipeline.settings import SchemaRegistry, Settings
from pipeline.stream.connection import KafkaConfig


def kafka_config(settings: Settings, rules: RuleSet | None) -> KafkaConfig:
    kafka = settings.kafka
    inbound = [kafka.inbound_topic] if settings.hooked else []
    named = tuple(dict.fromkeys([*(kafka.topics or (rules.topics if rules else ())), *inbound]))
    # Anchored as the rules read them: aiokafka takes every topic that only begins like the pattern.
    patterns = [f"^(?:{topic.strip('/')})$" for topic in named if topic.startswith("/")]
    plain = [topic for topic in named if not topic.startswith("/")]
    given = kafka.pattern and "|".join([f"(?:{kafka.pattern})", *map(_exactly, inbound)])
    pattern = given or ("|".join([*patterns, *map(_exactly, plain)]) if patterns else None)
    return KafkaConfig(
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=kafka.group_id,
        topics=() if pattern else tuple(plain),
        pattern=pattern,
        security_protocol=kafka.security_protocol,
        sasl_mechanism=kafka.sasl_mechanism,
        sasl_username=kafka.sasl_username,
        sasl_password=kafka.sasl_password.read() if kafka.sasl_password else None,
        ssl_cafile=str(kafka.ssl_cafile) if kafka.ssl_cafile else None,
        ssl_certfile=str(kafka.ssl_certfile) if kafka.ssl_certfile else None,
        ssl_keyfile=str(kafka.ssl_keyfile) if kafka.ssl_keyfile else None,
        client_id=kafka.client_id,
        registry=_registry_config(kafka.schema_registry),
    )


def _registry_config(registry: SchemaRegistry | None) -> RegistryConfig | None:
    if registry is None:
        return None
    password = registry.password.read if registry.password else None
    return RegistryConfig(registry.url, registry.username, password, registry.ssl_cafile)


def _exactly(topic: str) -> str:
    return "^" + topic.replace(".", r"\.") + "$"

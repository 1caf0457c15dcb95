"""Fetches schemas, over Confluent's own client: the only module with it. Never quotes an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx2
from confluent_kafka.schema_registry import AsyncSchemaRegistryClient, SchemaRegistryError

from pipeline.model.framed import Unreadable
from pipeline.registry import MAX_SCHEMA, RegistryAway, RegistryConfig, Schema

MAX_REFERENCES = 100
"""Schemas that one schema is made of."""
SCHEMA_NOT_FOUND = 40403
NOT_FOUND = (40401, 40402, SCHEMA_NOT_FOUND)
"""The registry's own codes for a subject, a version and a schema. Any other 404 is not a registry's."""


async def fetched(config: RegistryConfig, ids: Sequence[int]) -> AsyncIterator[tuple[int, Schema | Unreadable]]:
    """Each id and its schema, one after the other. Raises RegistryAway."""
    # A client of its own each time: it has the password of now, and its cache, which knows no bound, ends with it.
    async with _client(config) as client:
        for one in ids:
            yield one, await _fetched(client, one, config.timeout)


def _client(config: RegistryConfig) -> Any:
    # We ask again ourselves, for as long as it takes, and say so.
    said: dict[str, Any] = {"url": config.url, "timeout": config.timeout, "max.retries": 0}
    if config.username is not None:
        password = config.password() if config.password else None
        if password is None:
            raise RegistryAway("no_password")
        said["basic.auth.user.info"] = f"{config.username}:{password}"
    if config.ssl_cafile is not None:
        said["ssl.ca.location"] = str(config.ssl_cafile)
    try:
        return AsyncSchemaRegistryClient(said)
    except OSError:  # of the file of authorities; ssl.SSLError is one too
        raise RegistryAway("ssl_cafile") from None


async def _fetched(client: Any, one: int, timeout: float) -> Schema | Unreadable:
    try:
        async with asyncio.timeout(timeout):
            try:
                found = await client.get_schema(one)
            except SchemaRegistryError as error:
                if error.error_code == SCHEMA_NOT_FOUND:
                    return Unreadable("schema_unknown", "the schema registry does not know the schema's id")
                raise
            return await _whole(client, found)
    except SchemaRegistryError as error:
        if error.error_code in NOT_FOUND:
            return Unreadable("schema_reference", "the schema registry does not know what the schema refers to")
        raise RegistryAway(_code(error)) from None
    except (TimeoutError, httpx2.TimeoutException):
        raise RegistryAway("timeout") from None
    except (httpx2.HTTPError, OSError):
        raise RegistryAway("unreachable") from None
    except (ValueError, TypeError, KeyError, AttributeError):  # an answer, but not a registry's
        raise RegistryAway("unreadable") from None


async def _whole(client: Any, found: Any) -> Schema | Unreadable:
    """With all that it refers to, the deepest first, each once."""
    references: dict[str, str] = {}
    under_way: set[str] = set()
    size = len(found.schema_str)

    async def follow(schema: Any) -> None:
        nonlocal size
        for reference in schema.references or ():
            if reference.name in under_way or size > MAX_SCHEMA or len(under_way) >= MAX_REFERENCES:
                continue
            under_way.add(reference.name)
            # Also where it was deleted since: what was written by it is still there.
            came = (await client.get_version(reference.subject, reference.version, deleted=True)).schema
            size += len(came.schema_str)
            await follow(came)
            references[reference.name] = came.schema_str

    await follow(found)
    if len(under_way) >= MAX_REFERENCES:
        return Unreadable("schema_too_large", f"the schema refers to {MAX_REFERENCES} others or more")
    return Schema(str(found.schema_type or "AVRO"), found.schema_str, tuple(references.items()))


def _code(error: Any) -> str:
    match error.http_status_code:
        case 401 | 403:
            return "unauthorized"
        case status:
            return f"status_{status}"

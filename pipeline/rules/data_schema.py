"""The JSON Schema of an event's data: whether data fits it, and which paths it knows. Fetches nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

import jsonschema_rs

from pipeline.rules.render import RenderError


class SchemaInvalid(ValueError):
    """No JSON Schema; the words may quote the schema."""


@dataclass(frozen=True, slots=True)
class DataSchema:
    """One schema. Raises SchemaInvalid."""

    schema: dict[str, Any] = field(repr=False)
    _validator: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            validator = jsonschema_rs.validator_for(self.schema, retriever=_fetch_nothing)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, TypeError) as error:
            raise SchemaInvalid(str(error).splitlines()[0]) from None
        object.__setattr__(self, "_validator", validator)

    def check(self, data: Any) -> None:
        """Raises RenderError, in the words of the schema alone: the data is nobody's to quote."""
        if self._validator.is_valid(data):
            return
        error = next(iter(self._validator.iter_errors(data)))
        at = "/".join(map(str, error.schema_path))
        raise RenderError("schema", f"the data does not fit the schema at {at}")


def _fetch_nothing(uri: str) -> NoReturn:
    raise ValueError(f"a schema stands in one file; it cannot refer to {uri}")

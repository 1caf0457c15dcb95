"""What a shape expected of a value, in words of ours: pydantic's speak of its classes. Never quotes the value."""

from __future__ import annotations

from typing import Any

KINDS = {
    "model_type": "a map", "dict_type": "a map", "list_type": "a list", "tuple_type": "a list", "set_type": "a list",
    "frozen_set_type": "a list", "string_type": "a text", "int_type": "an integer", "float_type": "a number",
    "bool_type": "true or false", "int_parsing": "an integer", "float_parsing": "a number",
    "bool_parsing": "true or false", "path_type": "a path", "too_short": "at least one",
}  # fmt: skip


def in_words(detail: Any) -> str:
    """The words of one detail of a ValidationError."""
    words = str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    return KINDS.get(detail["type"]) or words.removeprefix("expected ")

"""Read-only views over an event's JSON: no methods, no attributes, nothing to change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_get = object.__getattribute__


class View:
    """A JSON object or array that gives its members and nothing else (MiniJinja would call what it finds)."""

    __slots__ = ("_view",)

    def __init__(self, value: dict[str, Any] | list[Any]) -> None:
        object.__setattr__(self, "_view", value)

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__"):
            return _get(self, name)
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(name)

    def __getitem__(self, name: Any) -> Any:
        return view(_get(self, "_view")[name])

    def __len__(self) -> int:
        return len(_get(self, "_view"))

    def __iter__(self) -> Iterator[Any]:
        return map(view, _get(self, "_view"))

    def __contains__(self, member: Any) -> bool:
        return unwrap(member) in _get(self, "_view")

    def __eq__(self, other: object) -> bool:
        return bool(_get(self, "_view") == unwrap(other))

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "<view>"


def view(value: Any) -> Any:
    return View(value) if isinstance(value, dict | list) else value


def unwrap(value: Any) -> Any:
    """The JSON value behind a view, also inside lists and maps that an expression built."""
    if isinstance(value, View):
        return _get(value, "_view")
    if isinstance(value, list | tuple):
        return [unwrap(member) for member in value]
    if isinstance(value, dict):
        return {name: unwrap(member) for name, member in value.items()}
    return value

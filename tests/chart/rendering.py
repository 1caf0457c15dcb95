"""The chart as Helm renders it, by Helm's own engine out of a wheel: no cluster, no network, no program on the path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from helm_python import HelmError
from helm_python.chart import Chart, lint
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "calends"
EXAMPLES = ROOT / "helm" / "examples"
Thing = Mapping[str, Any]
"""A Kubernetes object."""

__all__ = [
    "CHART",
    "EXAMPLES",
    "ROOT",
    "HelmError",
    "Thing",
    "example",
    "lint",
    "notes",
    "one",
    "pods",
    "render",
    "yaml_of",
]


def yaml_of(text: str) -> list[Any]:
    """YAML 1.1, as Kubernetes reads it: 0440 is octal."""
    reader = YAML(typ="safe", pure=True)
    reader.version = "1.1"
    return [document for document in reader.load_all(text) if document]


def example(name: str = "values", /, **changes: Any) -> dict[str, Any]:
    """The values of an example; a change replaces what is there, level by level."""
    values = yaml_of((EXAMPLES / f"{name}.yaml").read_text())[0]
    return _merged(values, changes)


def render(values: Mapping[str, Any], *, release: str = "calends", revision: int = 1) -> Sequence[Thing]:
    """All objects, hooks included. Raises HelmError with Helm's words."""
    chart = _chart()
    chart.validate_schema(dict(values))
    found = chart.render(dict(values), name=release, namespace="calends", revision=revision)
    return [thing for name, text in found.items() if name.endswith(".yaml") for thing in yaml_of(text)]


def notes(values: Mapping[str, Any]) -> str:
    return _chart().render(dict(values), name="calends", namespace="calends")["calends/templates/NOTES.txt"]


def one(things: Sequence[Thing], kind: str, name: str | None = None) -> Thing:
    """The only object of its kind, and name."""
    (found,) = [t for t in things if t["kind"] == kind and name in (None, t["metadata"]["name"])]
    return found


def pods(things: Sequence[Thing]) -> dict[str, Any]:
    """Each pod's template (metadata and spec), by the name of its object."""
    own = {t["metadata"]["name"]: t for t in things if t["kind"] == "Pod"}
    return own | {t["metadata"]["name"]: t["spec"]["template"] for t in things if t["kind"] in ("Deployment", "Job")}


@cache
def _chart() -> Chart:
    return Chart.load(CHART)


def _merged(values: Any, changes: Any) -> Any:
    if not (isinstance(values, dict) and isinstance(changes, dict)):
        return changes
    return values | {name: _merged(values.get(name), change) for name, change in changes.items()}

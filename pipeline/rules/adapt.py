"""What a destination makes of an entry's layers: its defaults, what it leaves out, what goes into the description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.model.change import merge
from pipeline.model.entry import FIELDS, Content
from pipeline.vendors.contract import Expression, Vendor


@dataclass(frozen=True, slots=True)
class DestinationView:
    """A destination as the rules see it."""

    name: str
    vendor: Vendor
    options: Mapping[str, Any] = field(default_factory=dict)
    omit: frozenset[str] = frozenset()
    """Fields that are left out here, knowingly."""
    in_description: frozenset[str] = frozenset()
    """Fields that become lines of the description; `links` only."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Neutral fields, or this vendor's own section, that hold where no layer says otherwise."""

    def expression(self) -> Expression:
        return self.vendor.express(self.options)

    def sayable(self) -> frozenset[str]:
        """The neutral fields that a rule may use here."""
        return self.expression().fields | self.omit | self.in_description


def desired(layers: Sequence[Mapping[str, Any]], view: DestinationView) -> Content:
    """What should be at the vendor: the layers in declared order, adapted to the destination."""
    return adapt(merge(layers), view)


def adapt(content: Content, view: DestinationView) -> Content:
    """Fills the destination's defaults, moves what is said in the description there, drops what it omits."""
    allowed = {*FIELDS, view.vendor.name}
    adapted = dict(merge([view.defaults, content]))
    adapted = {name: value for name, value in adapted.items() if name in allowed}
    if "links" in view.in_description and adapted.get("links"):
        lines = "\n".join(f"{link['name']}: {link['url']}" for link in adapted["links"])
        adapted["description"] = "\n\n".join(part for part in (adapted.get("description"), lines) if part)
    for name in view.omit | (view.in_description & {"links"}):
        adapted.pop(name, None)
    return adapted


def problems_of(content: Content, view: DestinationView) -> list[str]:
    """Why the destination cannot take this content, in words that quote no value; empty: it can."""
    expression = view.expression()
    found = [f"{name} cannot be said" for name in FIELDS if name in content and name not in expression.fields]
    found += [f"{name} is missing" for name in FIELDS if name in expression.required and name not in content]
    return found or list(view.vendor.problems(content, view.options))

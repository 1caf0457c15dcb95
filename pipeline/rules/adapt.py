"""What a destination makes of an entry's layers: its defaults, what it leaves out, what goes into the description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.model.change import merge
from pipeline.model.entry import FIELDS, Content
from pipeline.rules.zones import zoned
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
    prefix: str = ""
    """What makes our keys unique at the vendor, where destinations share an account."""

    def expression(self, kind: str | None = None) -> Expression:
        """What it can say of an item, or of a subscription; of what it does not have it can say nothing."""
        whole = self.vendor.express(self.options)
        return whole if kind is None else whole.subscription or NOTHING

    def sayable(self, kind: str | None = None) -> frozenset[str]:
        """The neutral fields that a rule may use here."""
        return self.expression(kind).fields | self.omit | self.in_description


NOTHING = Expression(frozenset(), frozenset(), needs_identity=False)


def desired(layers: Sequence[Mapping[str, Any]], view: DestinationView) -> Content:
    """What should be at the vendor: the layers in declared order, adapted to the destination."""
    return adapt(zoned(merge(layers), layers, view.defaults.get("time_zone")), view)


def adapt(content: Content, view: DestinationView) -> Content:
    """Fills the destination's defaults, moves what is said in the description there, drops what it omits."""
    adapted = dict(merge([_defaults(view, content.get("kind")), content]))
    allowed = {*FIELDS, "kind", view.vendor.name}
    adapted = {name: value for name, value in adapted.items() if name in allowed}
    if "links" in view.in_description and adapted.get("links"):
        lines = "\n".join(f"{link['name']}: {link['url']}" for link in adapted["links"])
        adapted["description"] = "\n\n".join(part for part in (adapted.get("description"), lines) if part)
    for name in view.omit | (view.in_description & {"links"}):
        adapted.pop(name, None)
    return adapted


def _defaults(view: DestinationView, kind: str | None) -> Mapping[str, Any]:
    """A destination's defaults are written for its calendar items; a subscription takes those that it can say."""
    if kind is None:
        return view.defaults
    said, own = view.expression(kind), view.vendor.name
    found = {name: value for name, value in view.defaults.items() if name in said.fields}
    section = {name: value for name, value in view.defaults.get(own, {}).items() if name in said.own}
    return {**found, own: section} if section else found


def problems_of(content: Content, view: DestinationView) -> list[str]:
    """Why the destination cannot take this content, in words that quote no value; empty: it can."""
    kind = content.get("kind")
    expression = view.expression(kind)
    if expression is NOTHING:
        return [f"{kind}: this destination has no such thing"]
    found = [f"{name} cannot be said" for name in FIELDS if name in content and name not in expression.fields]
    found += [f"{name} is missing" for name in FIELDS if name in expression.required and name not in content]
    return found or list(view.vendor.problems(content, view.options))

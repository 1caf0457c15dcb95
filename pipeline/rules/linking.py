"""The rules that Calends brings along: what a vendor's webhook says of a subscriber teaches the directory.

Only the caller's own id links, and only from the topic that `calends webhooks` writes. Whoever is merely seen, by an
address that somebody typed or by an id of the vendor's, is linked by nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.rules.reading import load_inline
from pipeline.rules.schema import Rules

LINKED = "calends.subscriber.linked"
UNLINKED = "calends.subscriber.unlinked"
SEEN = "calends.subscriber.seen"
"""By an address or the vendor's id: it links nobody."""


def linking(topic: str, destinations: Iterable[str]) -> Rules:
    """Two rules for each of these destinations."""
    return load_inline([rule for name in destinations for rule in _rules(topic, name)], "calends", 1, ())


def _rules(topic: str, name: str) -> Iterator[Mapping[str, Any]]:
    here = f"data.destination == '{name}'"
    known = f"{here} and data.subscriber is not none"
    yield {
        "name": f"calends-linked-{name}",
        "from": topic,
        "on": LINKED,
        "when": f"{{{{ {known} and data.identity is not none }}}}",  # no identity would unlink
        "link": {"destination": name, "subscriber": "{{ data.subscriber }}", "identity": "{{ data.identity }}"},
    }
    yield {
        "name": f"calends-unlinked-{name}",
        "from": topic,
        "on": UNLINKED,
        "when": f"{{{{ {here} and (data.subscriber is not none or data.identity is not none) }}}}",
        "link": {
            "destination": name,
            "subscriber": "{{ data.subscriber if data.subscriber is not none else omit }}",
            "ended": "{{ data.identity if data.identity is not none else omit }}",
        },
    }

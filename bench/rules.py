"""CPU from record bytes to changes: 50 rules, five of an event's type, beside the same mapping in Jinja2 and in Python.

One process, one thread, CPU time alone; the three are run in turns, so that what else the machine does meets them all.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from jinja2 import Environment, StrictUndefined

from pipeline.model.event import decode
from pipeline.model.wire import Coordinates, Record
from pipeline.rules.adapt import DestinationView
from pipeline.rules.evaluate import RuleSet
from pipeline.rules.filters import OURS, money, plus
from pipeline.rules.reading import load_inline
from pipeline.vendors import vendors

TARGET = 60.0
"""Microseconds of CPU an event."""
TYPES = 10
START = datetime(2026, 1, 5, tzinfo=UTC)
ENTRY = {
    "title": "Payment of {{ data.amount | money(data.currency) }} is due",
    "location": "Online",
    "start": "{{ data.due }}",
    "all_day": True,
    "description": "Invoice {{ data.number }} of {{ data.seller.name }}",
}
Mapped = dict[tuple[str, str, str], Mapping[str, Any]]
"""(destination, key, layer) → content."""


def rules() -> list[dict[str, Any]]:
    """Five rules for each of ten types: the entry, the same elsewhere, its visit, a note for some, an end for few."""
    found: list[dict[str, Any]] = []
    for n in range(TYPES):
        head = {"from": f"topic-{n}", "on": f"com.acme.kind{n}.due"}
        key, who = "INV-{{ data.number }}", "{{ data.customer.id }}"
        visit = {
            "title": "Visit of {{ data.seller.name }}", "location": "{{ data.customer.city }}",
            "start": "{{ data.visit }}", "end": "{{ data.visit | plus('1h') }}", "time_zone": "{{ data.zone }}",
        }  # fmt: skip
        sends = [
            ("due", "{{ data.amount > 0 }}", {"to": "ecal", "key": key, "subscriber": who, "entry": ENTRY}),
            ("elsewhere", None, {"to": "apptoto", "key": key, "entry": {**ENTRY, "collection": "Bills"}}),
            ("visit", None, {"to": "ecal", "key": "V-{{ data.number }}", "subscriber": who, "entry": visit}),
            ("note", "{{ data.vip }}", {"to": "ecal", "key": key, "layer": "note", "entry": {"alerts": ["1d"]}}),
            ("void", "{{ data.state == 'void' }}", {"to": "ecal", "key": "V2-{{ data.number }}", "cancel": True}),
        ]
        for name, when, send in sends:
            found.append({"name": f"{name}-{n}", **head, **({"when": when} if when else {}), "send": send})
    return found


def rule_set() -> RuleSet:
    views = {name: DestinationView(name, vendors()[name]) for name in ("ecal", "apptoto")}
    return RuleSet(load_inline(rules(), "bench", 1, tuple(vendors())), views, ("base", "note"))


def records(count: int) -> list[Record]:
    return list(each_record(count))


def each_record(count: int) -> Iterator[Record]:
    """Structured CloudEvents of some 800 bytes, as billing systems write them."""
    random = Random(1)
    for n in range(count):
        kind, day = random.randrange(TYPES), START + timedelta(days=random.randrange(300))
        data = {
            "number": n, "amount": round(random.random() * 900 + 1, 2), "currency": random.choice(("EUR", "JPY")),
            "due": day.date().isoformat(), "visit": f"{day:%Y-%m-%d}T{random.randrange(8, 18):02}:30:00",
            "zone": random.choice(("Europe/Berlin", "America/New_York")), "vip": n % 10 == 0,
            "state": "void" if n % 20 == 0 else "open",
            "customer": {"id": f"C-{n % 5000}", "name": "Ännchen Müller", "city": "Köln", "mail": "a@example.org"},
            "seller": {"name": "Acme & Sons", "vat": "DE123456789", "address": {"street": "Main St 1", "zip": "50667"}},
            "lines": [{"sku": f"S-{m}", "text": "A thing that was bought", "price": 12.5 * m} for m in range(4)],
        }  # fmt: skip
        body = {
            "specversion": "1.0", "id": f"e-{n}", "source": "/billing", "type": f"com.acme.kind{kind}.due",
            "time": (day - timedelta(days=14)).isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json", "data": data,
        }  # fmt: skip
        value = json.dumps(body).encode()
        yield Record(Coordinates(f"topic-{kind}", 0, n), None, value, (), START + timedelta(days=400))


def by_calends() -> Callable[[Record], Mapped]:
    compiled = rule_set()

    def map_(record: Record) -> Mapped:
        changes = compiled.evaluate(decode(record)).changes
        return {(one.destination, one.key, one.layer): one.content for one in changes}

    return map_


def by_jinja2() -> Callable[[Record], Mapped]:
    """The same rules, each scalar compiled once; no checks of what comes in or out."""
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    environment.filters.update(OURS)
    mapped: dict[str, list[tuple[Any, str, str, Any, dict[str, Any]]]] = {}
    for rule in rules():
        send = rule["send"]
        when = environment.compile_expression(rule["when"].strip("{ }")) if "when" in rule else None
        key, fields = _jinja2(environment, send["key"]), _jinja2(environment, send.get("entry", {}))
        layer = send.get("layer", "base")
        mapped.setdefault(rule["on"], []).append((when, send["to"], layer, key, fields))

    def map_(record: Record) -> Mapped:
        event = json.loads(record.value or b"")
        data = event["data"]
        found: Mapped = {}
        for when, to, layer, key, fields in mapped[event["type"]]:
            if when is None or when(data=data):
                found[to, key(data), layer] = {name: field(data) for name, field in fields.items()}
        return found

    return map_


def _jinja2(environment: Environment, node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _jinja2(environment, value) for name, value in node.items()}
    if not isinstance(node, str) or "{{" not in node:
        value = [1440] if isinstance(node, list) else node
        return lambda data: value
    template = environment.from_string(node)
    return lambda data: template.render(data=data)


def by_hand() -> Callable[[Record], Mapped]:
    """What somebody would write who has this one mapping and no rules."""

    def entry(data: dict[str, Any]) -> dict[str, Any]:
        return {
            "title": f"Payment of {money(data['amount'], data['currency'])} is due", "location": "Online",
            "start": data["due"], "all_day": True,
            "description": f"Invoice {data['number']} of {data['seller']['name']}",
        }  # fmt: skip

    def map_(record: Record) -> Mapped:
        data = json.loads(record.value or b"")["data"]
        number = data["number"]
        found: Mapped = {}
        if data["amount"] > 0:
            found["ecal", f"INV-{number}", "base"] = entry(data)
        found["apptoto", f"INV-{number}", "base"] = {**entry(data), "collection": "Bills"}
        found["ecal", f"V-{number}", "base"] = {
            "title": f"Visit of {data['seller']['name']}", "location": data["customer"]["city"], "start": data["visit"],
            "end": plus(data["visit"], "1h"), "time_zone": data["zone"],
        }  # fmt: skip
        if data["vip"]:
            found["ecal", f"INV-{number}", "note"] = {"alerts": [1440]}
        if data["state"] == "void":
            found["ecal", f"V2-{number}", "base"] = {}
        return found

    return map_


WAYS: dict[str, Callable[[], Callable[[Record], Mapped]]] = {
    "calends": by_calends, "jinja2": by_jinja2, "by hand": by_hand,
}  # fmt: skip


def measure(events: int) -> list[dict[str, Any]]:
    """Microseconds of CPU an event, of each way; `completed`: all map alike, and ours within the target."""
    ways = {name: make() for name, make in WAYS.items()}
    taken = records(events)
    alike = all(_alike(ways, record) for record in taken[:200])
    gc.collect()
    gc.freeze()  # the records of the bench itself are nothing that a way has to look through
    spent = dict.fromkeys(ways, 0.0)
    for chunk in _chunks(taken, max(1, events // 20)):
        for name, way in ways.items():
            begun = time.process_time()
            for record in chunk:
                way(record)
            spent[name] += time.process_time() - begun
    return [
        {
            "way": name,
            "events": events,
            "us_per_event": round(seconds / events * 1e6, 1),
            "bytes_per_event": sum(len(record.value or b"") for record in taken) // events,
            "completed": alike and (name != "calends" or seconds / events * 1e6 <= TARGET),
        }
        for name, seconds in spent.items()
    ]


def _alike(ways: dict[str, Callable[[Record], Mapped]], record: Record) -> bool:
    return len({json.dumps(sorted((*key, value) for key, value in way(record).items()), sort_keys=True)
                for way in ways.values()}) == 1  # fmt: skip


def _chunks(taken: list[Record], size: int) -> Iterator[list[Record]]:
    for start in range(0, len(taken), size):
        yield taken[start : start + size]


def table(runs: list[dict[str, Any]]) -> str:
    size, events = runs[0]["bytes_per_event"], runs[0]["events"]
    lines = [f"Record bytes to changes: {events:,} events of {size} bytes, 50 rules, 5 of the event's type", ""]
    lines += ["| way | CPU an event |", "|---|---|"]
    lines += [f"| {run['way']} | {run['us_per_event']} µs |" for run in runs]
    return "\n".join(lines)

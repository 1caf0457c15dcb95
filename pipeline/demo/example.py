"""An example of the gallery, or a folder like one of them, as the demo plays it.

A folder has `calends.yaml`, which names the accounts of `calends sandbox`, its rules, and `events.json`: a list of
events, each with its `topic`. What the vendors must hold in the end is what the rules ask for, which their tests judge.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.model.change import Link
from pipeline.model.event import decode
from pipeline.model.wire import Coordinates, Record
from pipeline.operate.check import Report, check
from pipeline.rules.evaluate import RuleSet
from pipeline.rules.selftest import Name, State, states_of

SANDBOX = "http://127.0.0.1:8900"
"""Where the examples expect `calends sandbox`."""
PLACES = (Path(__file__).parent / "examples", Path(__file__).parents[2] / "configs" / "examples")
"""In what is installed, and in the repository."""
PAGES = "add_to_calendar_pro"
SECRETS = {
    "ECAL_API_KEY": "demo-key",
    "ECAL_API_SECRET": "demo-secret",
    "CALREPLY_CLIENT_ID": "demo-id",
    "CALREPLY_CLIENT_SECRET": "demo-secret",
    "APPTOTO_USER": "demo-user",
    "APPTOTO_API_KEY": "demo-key",
    "ATCP_API_KEY": "demo-key",
}
"""Those of the sandbox's accounts."""


class NotAnExample(Exception):
    """The text says why, and which there are."""


@dataclass(frozen=True, slots=True)
class Example:
    folder: Path
    events: list[tuple[str, str, bytes]]
    """(topic, record key, CloudEvent as JSON)"""
    titles: Mapping[str, Mapping[str, str]]
    """Destination → the vendor's key → title, once all is read."""
    accounts: Mapping[str, tuple[str, str]]
    """Destination → its account in the settings, and at the sandbox."""

    def settings(self, folder: Path, sandbox: str) -> Path:
        """A copy of the configuration, with the vendors where they are."""
        copied = Path(shutil.copytree(self.folder, folder / "example"))
        file = copied / "calends.yaml"
        file.write_text(file.read_text("utf-8").replace(SANDBOX, sandbox), "utf-8")
        return file


def names() -> list[str]:
    return sorted({file.parent.name for place in PLACES for file in place.glob("*/events.json")})


def example(name: str) -> Example:
    """One of the gallery, or a folder. Raises NotAnExample."""
    found = [place / name for place in (*PLACES, Path()) if (place / name / "events.json").exists()]
    if not found:
        raise NotAnExample(f"{name} is no example: one of {', '.join(names())}, or a folder with events.json")
    report = check(found[0], secrets=False)
    if report.problems or report.settings is None:
        raise NotAnExample(str(report.problems[0]))
    events = [_event(said, number) for number, said in enumerate(json.loads((found[0] / "events.json").read_text()))]
    accounts = {name: _account(report, name) for name in report.settings.destinations}
    return Example(found[0], events, _titles(report.rule_set(), events), accounts)


def _account(report: Report, name: str) -> tuple[str, str]:
    account_name, account = report.usable.account_of(name)
    return account_name, (account.base_url or "").rsplit("/", 1)[-1]


def _event(said: Mapping[str, Any], number: int) -> tuple[str, str, bytes]:
    told = {name: value for name, value in said.items() if name != "topic"}
    event = {"specversion": "1.0", "id": f"event-{number}", "source": "/example", **told}
    return said["topic"], str(number), json.dumps(event, ensure_ascii=False).encode()


def _titles(rules: RuleSet, events: Iterable[tuple[str, str, bytes]]) -> dict[str, dict[str, str]]:
    """Of the entries that should be there for somebody who is linked."""
    now = datetime.now(UTC)
    records = [Record(Coordinates(topic, 0, n), None, value, (), now) for n, (topic, _, value) in enumerate(events)]
    made = [rules.evaluate(decode(record)) for record in records]
    changes = [change for one in made for change in one.changes]
    states = states_of(changes, rules, [roster for one in made for roster in one.rosters])
    uncancelled = states_of([change for change in changes if change.kind == "upsert"], rules)
    people = {(change.destination, change.key): (change.subscriber, change.identity) for change in changes}
    linked = _linked((link for one in made for link in one.links), states, people)
    titles: dict[str, dict[str, str]] = {name: {} for name in rules.destinations}
    for (destination, key), (state, content) in states.items():
        view = rules.destinations[destination]
        if state == "cancelled" and "status" in view.expression().fields:  # it stays, and says that it is cancelled
            state, content = uncancelled.get((destination, key), ("waiting", {}))
        subscriber, identity = people[destination, key]
        needed = view.expression(content.get("kind")).needs_identity
        known = not needed or identity or (destination, subscriber) in linked
        if state == "present" and "title" in content and known:
            titles[destination][_vendor_key(view.prefix + key, view.vendor.name)] = str(content["title"])
    return titles


def _linked(
    links: Iterable[Link], states: Mapping[Name, State], people: Mapping[Name, tuple[str | None, str | None]]
) -> set[tuple[str, str | None]]:
    """Who is known: by a link, or by a subscription that is there."""
    found = {(link.destination, link.subscriber) for link in links if link.identity is not None}
    for name, (state, content) in states.items():
        if state == "present" and content.get("kind") == "subscription":
            found.add((name[0], people[name][0]))
    return found


def _vendor_key(key: str, vendor: str) -> str:
    """Add to Calendar PRO knows an entry by a mark made of its key."""
    return hashlib.sha256(key.encode()).hexdigest()[:16] if vendor == PAGES else key

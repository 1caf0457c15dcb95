"""The events of a round: a pure function of a random generator. No clock: times are seconds from the round's start.

Two thousand and more: upserts in disorder and repeated, notes on a second layer, cancels, deletes, revivals, people who
are linked early, late, anew or never, what has expired, what the vendors refuse, and poison.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STRUCTURED = (("content-type", b"application/cloudevents+json"), ("trace", b"\x00\xff"), ("null", None))
PERSONAL = "Zuleika Quenneville"
"""Stands in every title: a name that must be found nowhere but in the ledger, at the vendor and in dead letters."""
E_MAIL = "zuleika@quenneville.example"
REFUSED = "REFUSED"
PEOPLE = 40
EARLIER = 120.0
"""Seconds before the round's start at which the story's own time begins: no event is from the future."""


def headers_of(value: bytes) -> list[tuple[str, bytes | None]]:
    """What is published beside a value: what is no CloudEvent does not claim to be one."""
    return list(STRUCTURED if b"specversion" in value else STRUCTURED[1:])


@dataclass(frozen=True)
class Event:
    at: float
    """Published so many seconds after the start."""
    topic: str
    key: str
    kind: str
    when: float
    """Its own time, which orders it."""
    data: Mapping[str, Any] = field(default_factory=dict)
    raw: bytes | None = None
    """What stands in the record in the place of an event."""
    number: int = 0

    def value(self, base: float) -> bytes:
        """The record's value in a round that starts at `base`, in seconds since 1970."""
        if self.raw is not None:
            return self.raw
        time = (EPOCH + timedelta(microseconds=round((base - EARLIER + self.when) * 1e6))).isoformat()
        attributes = {"specversion": "1.0", "id": f"e{self.number}", "source": "/chaos", "type": self.kind}
        return json.dumps(attributes | {"time": time, "data": dict(self.data)}).encode()


@dataclass(frozen=True)
class Size:
    keys: int = 120
    versions: int = 16
    seconds: float = 7.0


ROLES = {
    "plain": 52,
    "noted": 12,
    "cancelled": 12,
    "revived": 10,
    "deleted": 8,
    "unlinked": 6,
    "late": 6,
    "moved": 4,
    "expired": 4,
    "refused": 4,
    "orphan": 2,
}
"""Of 120 keys."""


def story(random: Random, size: Size) -> tuple[Event, ...]:
    """All events in the order of their publication."""
    roles = [role for role, count in ROLES.items() for _ in range(max(1, round(count * size.keys / 120)))]
    told = list(_people(random, size))
    for number, role in enumerate(roles):
        told += _entry(random, f"BK-{number}", role, size)
    told += _poison(random, len(roles), size)
    told += _repeats(random, told, size)
    told.sort(key=lambda event: event.at)
    return tuple(_numbered(event, number) for number, event in enumerate(told))


def _repeats(random: Random, told: list[Event], size: Size) -> list[Event]:
    """What a producer sends again, some time later."""
    made = [event for event in told if event.kind == "meeting.made"]
    again = random.sample(made, len(made) // 40)
    return [replace(event, at=random.uniform(event.at, size.seconds)) for event in again]


def _numbered(event: Event, number: int) -> Event:
    return replace(event, number=number)


def guid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def _person(person: str, when: float, at: float, home: str) -> Event:
    data = {"person": person, "ecal": guid(f"ecal {home}"), "calreply": guid(f"calreply {home}"), "email": E_MAIL}
    return Event(at, "people", person, "person.linked", when, data)


def _people(random: Random, size: Size) -> Iterator[Event]:
    for number in range(PEOPLE):
        yield _person(f"P-{number}", 1.0, random.random() * 0.5, f"P-{number}")
    for name in ("late", "moved"):
        yield _person(f"P-{name}", 5.0, size.seconds * 0.6, f"P-{name}-second")
    yield _person("P-moved", 1.0, 0.0, "P-moved-first")


def _entry(random: Random, key: str, role: str, size: Size) -> Iterator[Event]:
    person = f"P-{role}" if role in ("unlinked", "late", "moved") else f"P-{random.randrange(PEOPLE)}"
    count = 1 if role == "refused" else 0 if role == "orphan" else size.versions
    for version in range(1, count + 1):
        # Every sixth comes late, after what is newer; one in thirty so late that it is the last of all.
        late = random.uniform(0.3, 2.0) if random.random() < 1 / 6 else 0.0
        at = size.seconds if random.random() < 1 / 30 else size.seconds * version / (count + 2) + late
        yield _made(random, key, role, person, version, min(at, size.seconds))
    end = {"cancelled": "cancelled", "revived": "cancelled", "deleted": "deleted"}.get(role)
    if end is not None:
        # A revived one is cancelled half-way; its later versions lift that.
        when = count / 2 + 0.5 if role == "revived" else count + 0.5
        at = size.seconds * when / (count + 2) + random.uniform(-0.5, 1.0)
        yield Event(max(0.0, at), "meetings", key, f"meeting.{end}", when, {"key": key})
    if role in ("noted", "orphan"):
        for note in range(1, 4):
            at = random.uniform(0.2, size.seconds)
            yield Event(at, "meetings", key, "meeting.noted", note + 0.25, {"key": key, "note": _title(f"n{note}")})


def _title(mark: str) -> str:
    return f"{PERSONAL} {mark}"


def _made(random: Random, key: str, role: str, person: str, version: int, at: float) -> Event:
    day, hour = 1 + version % 27, 8 + version % 9
    data = {
        "key": key,
        "person": person,
        "title": f"{REFUSED} v{version}" if role == "refused" else _title(f"v{version}"),
        "place": f"Room {random.randrange(1000)}",
        "text": f"Version {version} for {E_MAIL}",
        "start": f"2027-03-{day:02}T{hour:02}:00:00",
        "end": f"2027-03-{day:02}T{hour + 1:02}:30:00",
    }
    if role == "expired":
        data["expires"] = "2020-01-01T00:00:00Z"
    return Event(at, "meetings", key, "meeting.made", float(version), data)


POISON = (
    b"\xff{not json, says Zuleika Quenneville",
    b"",
    b'{"type": "meeting.made", "data": {"key": "\\u0000"}}',
    b'{"specversion": "1.0", "id": "x", "source": "/chaos", "data": {}}',
    b"[" * 5000,
    b'{"specversion": "1.0", "id": "y", "source": "/chaos", "type": "meeting.made", "time": "2099-01-01T00:00:00Z"}',
    b'{"specversion": "1.0", "id": "z", "source": "/chaos", "type": "meeting.made", "data": {"key": "BK-0"}}',
    json.dumps({"type": "meeting.made", "data": {"key": "not a key!"}}).encode(),
)
"""Six that cannot be decoded, two on which a rule fails."""


def _poison(random: Random, keys: int, size: Size) -> Iterator[Event]:
    for number in range(24):
        key = f"BK-{random.randrange(keys)}"
        raw = POISON[number % len(POISON)]
        yield Event(random.uniform(0.0, size.seconds), "meetings", key, "poison", 0.0, {}, raw)

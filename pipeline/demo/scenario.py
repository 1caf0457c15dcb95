"""The sample events, and what the vendors must hold once they have all been read. Pure."""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

CUSTOMERS = 12
INVOICES = 50
BOOKINGS = 40
MATCHES = 15
TOPICS = ("customers", "invoices", "bookings", "matches")
PEOPLE = ("ecal", "calreply")
PAGES = "add_to_calendar_pro"


@dataclass(slots=True)
class Scenario:
    """`events` are (topic, record key, CloudEvent as JSON); `titles` what each key must end as at each destination."""

    events: list[tuple[str, str, bytes]] = field(default_factory=list)
    titles: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def ends_as(self, destinations: tuple[str, ...], key: str, title: str | None) -> None:
        for destination in destinations:
            # Add to Calendar PRO knows an entry by a mark made of its key.
            known = hashlib.sha256(key.encode()).hexdigest()[:16] if destination == PAGES else key
            if title is None:
                del self.titles[destination][known]
            else:
                self.titles[destination][known] = title


def scenario(now: datetime, seed: int = 1) -> Scenario:
    """Some 390 events: invoices that are corrected and paid, bookings that move and are cancelled, matches that are
    moved, in no order."""
    chance = random.Random(seed)
    made = Scenario()
    clock = _clock(now)
    customers = [f"C-{number:03}" for number in range(CUSTOMERS)]
    for number in range(INVOICES):
        _invoice(made, clock, f"4{number:04}", customers[number % CUSTOMERS], now.date(), chance)
    for number in range(BOOKINGS):
        _booking(made, clock, f"B{number:03}", customers[number % CUSTOMERS], now.date(), chance)
    for number in range(MATCHES):
        _match(made, clock, f"M{number:02}", now.date(), chance)
    for customer in customers:
        _say(made, clock, "customers", "customer.linked", customer, _identities(customer))
    chance.shuffle(made.events)
    return made


def _clock(now: datetime) -> Iterator[datetime]:
    at = now - timedelta(seconds=1)
    while True:
        at += timedelta(milliseconds=1)
        yield at


def _identities(customer: str) -> dict[str, str]:
    return {
        "customer_id": customer,
        "ecal_id": uuid.uuid5(uuid.NAMESPACE_OID, customer).hex[:24],
        "subscription_id": str(uuid.uuid5(uuid.NAMESPACE_URL, customer)),
    }


def _invoice(
    made: Scenario, clock: Iterator[datetime], number: str, customer: str, today: date, chance: random.Random
) -> None:
    due = today + timedelta(days=chance.randrange(3, 60))
    for correction in range(3):
        data = {
            "number": number,
            "customer_id": customer,
            "amount": 100 + correction * 25,
            "currency": "EUR",
            "due_date": (due + timedelta(days=correction)).isoformat(),
            "pay_url": f"https://pay.example/{number}",
        }
        _say(made, clock, "invoices", "invoice.due", number, data)
    made.ends_as(PEOPLE, f"INV-{number}", f"Invoice {number} is due")
    if chance.random() < 0.5:
        _say(made, clock, "invoices", "invoice.paid", number, {"number": number})
        made.ends_as(PEOPLE, f"INV-{number}", "Paid")


def _booking(
    made: Scenario, clock: Iterator[datetime], reference: str, customer: str, today: date, chance: random.Random
) -> None:
    start = datetime.combine(today, datetime.min.time()) + timedelta(days=chance.randrange(2, 40), hours=9)
    for move in range(4):
        begin = start + timedelta(hours=move)
        data = {
            "reference": reference,
            "customer_id": customer,
            "title": f"Check-up {reference}, {begin:%H:%M}",
            "place": "Clinic, room 4",
            "from": begin.isoformat(),
            "until": (begin + timedelta(minutes=45)).isoformat(),
            "time_zone": "Europe/Paris",
            "state": "made" if move == 0 else "moved",
        }
        _say(made, clock, "bookings", f"booking.{data['state']}", reference, data)
        made.ends_as((*PEOPLE, "apptoto"), f"BK-{reference}", str(data["title"]))
    if chance.random() < 0.25:
        _say(made, clock, "bookings", "booking.cancelled", reference, {"reference": reference, "state": "cancelled"})
        made.ends_as((*PEOPLE, "apptoto"), f"BK-{reference}", None)


def _match(made: Scenario, clock: Iterator[datetime], number: str, today: date, chance: random.Random) -> None:
    """A fixture that everybody may put into a calendar; it is moved twice, and once its teams are known."""
    start = datetime.combine(today, datetime.min.time()) + timedelta(days=chance.randrange(5, 60), hours=19)
    for move, teams in enumerate(("to be drawn", "to be drawn", "Reds : Blues")):
        begin = start + timedelta(days=move)
        data = {
            "number": number,
            "title": f"{number} {teams}",
            "place": "Stadium",
            "from": begin.isoformat(),
            "until": (begin + timedelta(hours=2)).isoformat(),
            "time_zone": "Europe/Paris",
        }
        _say(made, clock, "matches", "match.scheduled", number, data)
        made.ends_as((PAGES,), f"MATCH-{number}", str(data["title"]))


def _say(
    made: Scenario, clock: Iterator[datetime], topic: str, kind: str, subject: str, data: Mapping[str, Any]
) -> None:
    event = {
        "specversion": "1.0",
        "id": f"{subject}-{len(made.events)}",
        "source": "/demo",
        "type": f"com.acme.{kind}",
        "time": next(clock).isoformat(),
        "data": data,
    }
    made.events.append((topic, subject, json.dumps(event).encode()))

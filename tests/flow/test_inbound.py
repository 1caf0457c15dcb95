"""Webhooks, from the vendor's post to what the vendor then holds; and how the receiver stops."""

from __future__ import annotations

import json
import signal
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.flow.assembly import CALREPLY, PERSON, WEBHOOK, Assembly, appointment, free_port, until

SECRET = WEBHOOK["webhook_secret"]
ELSEWHERE = "0c1de3b6-55d6-4b6e-9b5f-6f1f1b4a2f10"
RULES = """
rules:
  - name: appointment
    from: [appointments]
    on: appointment.made
    send:
      - to: calreply
        key: "{{{{ data.key }}}}"
        subscriber: "{{{{ data.person }}}}"
        entry:
          title: "{{{{ data.title }}}}"
          location: Online
          start: "{{{{ data.start }}}}"
          time_zone: Europe/Paris
          end: "{{{{ data.end }}}}"
"""


def begin(assembly: Assembly) -> str:
    """A configuration whose CalReply posts to us, with a receiver; its address."""
    assembly.start(rules=RULES)
    file = assembly.folder / "calends.yaml"
    settings = json.loads(file.read_text())
    settings["kafka"]["inbound_topic"] = assembly.topic("inbound")
    settings["destinations"]["calreply"]["webhook"] = {"secret": {"env": "TEST_WEBHOOK_SECRET"}}
    file.write_text(json.dumps(settings))
    assembly.make_topics([assembly.topic("inbound")], 4)
    if not assembly.embedded:
        assert assembly.calends("migrate").returncode == 0
    return assembly.receiver()


def notification(id_: str, kind: str, subscription: str, **details: str) -> bytes:
    """As CalReply words it (Event Object Data)."""
    told = {"actionType": "SubscriptionViaCalendarPage", "calendarSubscriptionId": subscription, **details}
    return json.dumps({"eventId": id_, "eventType": kind, "eventDetails": told}).encode()


def post(address: str, body: bytes, path: str = f"/calreply/{SECRET}") -> int:
    request = urllib.request.Request(address + path, body, {"content-type": "application/json"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
    except OSError:
        return 0


def figure(assembly: Assembly, name: str) -> float:
    lines = (line.rsplit(" ", 1) for line in assembly.metrics().splitlines() if line.startswith(name))
    return sum(float(value) for _, value in lines)


def waiting(assembly: Assembly, number: int) -> None:
    """The figures are of the ledger as it was within the last second."""
    name = 'calends_ledger_entries{destination="calreply",state="waiting"}'
    until(lambda: figure(assembly, name) == number, 30, f"{number} entries wait")


def writes(assembly: Assembly) -> int:
    return int(assembly.sandbox.counters("calreply")["calls"])


def test_who_is_linked_by_webhook_gets_what_waited_and_nothing_after_leaving(assembly: Assembly) -> None:
    address = begin(assembly)
    now = time.time()
    assembly.publish([("k1", appointment("k1", "first", at=now, person="C-7"))])
    assembly.worker()
    assembly.ready()
    waiting(assembly, 1)

    assert post(address, notification("n1", "Subscribe", PERSON, subscriberExternalId="C-7")) == 200
    until(lambda: assembly.converged("calreply", {"k1": "first"}), 30, "the entry that waited is delivered")

    assert post(address, notification("n2", "Unsubscribe", PERSON, subscriberExternalId="C-7")) == 200
    waiting(assembly, 1)
    before = writes(assembly)
    later = [appointment("k1", "moved", at=now + 1, person="C-7"), appointment("k2", "new", person="C-7")]
    assembly.publish(zip(("k1", "k2"), later, strict=True))
    waiting(assembly, 2)
    assert post(address, notification("n1", "Subscribe", PERSON, subscriberExternalId="C-7")) == 200, "a repeat"
    time.sleep(2)
    assert (writes(assembly), assembly.converged("calreply", {"k1": "first"})) == (before, True)

    assert post(address, notification("n3", "Subscribe", ELSEWHERE, subscriberExternalId="C-7")) == 200
    until(lambda: assembly.converged("calreply", {"k1": "moved", "k2": "new"}), 30, "all goes to the new subscription")
    assert assembly.dead_letters(0, seconds=2) == []


def test_an_address_that_somebody_typed_links_nobody(assembly: Assembly) -> None:
    address = begin(assembly)
    assembly.publish([("k1", appointment("k1", "private", person="ada@example.org"))])
    assembly.worker()
    assembly.ready()
    waiting(assembly, 1)

    body = notification("n1", "Subscribe", PERSON, emailAddress="ada@example.org")
    assert post(address, body, "/calreply/not-the-secret") == 404
    assert post(address, body) == 200
    (message,) = assembly.messages("inbound", 1)
    event = json.loads(message.value())
    assert (event["type"], event["data"]["subscriber"]) == ("calends.subscriber.seen", None)
    assert event["data"]["notification"] == json.loads(body)
    unmatched = f'calends_events_unmatched_total{{topic="{assembly.topic("inbound")}"}}'
    until(lambda: figure(assembly, unmatched) == 1, 30, "the worker has read it")
    time.sleep(1)
    assert writes(assembly) == 0
    waiting(assembly, 1)


def test_no_secret_and_no_personal_datum_is_logged(assembly: Assembly) -> None:
    address = begin(assembly)
    assert post(address, notification("n1", "Subscribe", PERSON, subscriberExternalId="Lovelace")) == 200
    assert post(address, b"Lovelace, no JSON") == 400
    assert post(address, b"Lovelace" * 200_000) == 413
    assert post(address, b"Lovelace", "/calreply/Lovelace") == 404
    seen = assembly.log() + assembly.metrics()
    assert 'calends_webhook_refusals_total{destination="calreply",reason="too_large"} 1.0' in seen
    assert [word for word in ("Lovelace", PERSON, SECRET, CALREPLY["client_secret"]) if word in seen] == []


def test_sigterm_loses_nothing_that_was_taken(assembly: Assembly) -> None:
    address = begin(assembly)
    taken: list[str] = []

    def posting(poster: int) -> None:
        for number in range(10_000):
            id_ = f"{poster}-{number}"
            status = post(address, notification(id_, "Subscribe", PERSON, subscriberExternalId=id_))
            if status == 0:
                return
            assert status == 200
            taken.append(id_)

    with ThreadPoolExecutor(8) as posters:
        ended = [posters.submit(posting, poster) for poster in range(8)]
        until(lambda: len(taken) > 100, 30, "some are taken")
        assembly.workers[-1].send_signal(signal.SIGTERM)
        assert assembly.workers[-1].wait(9) == 0
        for future in ended:
            future.result()
    kept = Counter(json.loads(message.value())["id"] for message in assembly.messages("inbound", len(taken)))
    assert set(taken) - set(kept) == set()


@pytest.fixture
def alone(tmp_path: Path) -> Assembly:
    """A receiver whose Kafka is not there."""
    made = Assembly(tmp_path, f"127.0.0.1:{free_port()}", f"sqlite:///{tmp_path}/ledger.db", True, "")
    hook: dict[str, Any] = {"vendor": "calreply", "webhook": {"secret": {"env": "TEST_WEBHOOK_SECRET"}}}
    hook |= {"options": {"account_code": "acme"}, "credential": {n: {"env": "TEST_ELSEWHERE"} for n in CALREPLY}}
    link = {"destination": "calreply", "subscriber": "s", "identity": "i"}
    settings = {
        "kafka": {"bootstrap_servers": made.bootstrap},
        "destinations": {"calreply": hook},
        "rules": [{"name": "r", "from": "t", "link": link}],
    }
    (tmp_path / "calends.yaml").write_text(json.dumps(settings))
    return made


def test_without_kafka_it_lives_takes_nothing_and_ends_in_time(alone: Assembly) -> None:
    port = free_port()
    process = alone._process("webhooks", "--port", str(port))
    try:
        admin = alone.ports[-1]
        until(lambda: alone.status(admin, "livez") == 200, 30, "it lives")
        assert alone.status(admin, "readyz") == 503
        assert post(f"http://127.0.0.1:{port}", notification("n1", "Subscribe", PERSON)) == 503
        process.send_signal(signal.SIGTERM)
        assert process.wait(9) == 0
    finally:
        alone.close()


def test_a_port_that_is_taken_is_told(alone: Assembly) -> None:
    first = free_port()
    process = alone._process("webhooks", "--port", str(first))
    try:
        until(lambda: alone.status(first, "nothing") == 404, 30, "it listens")
        second = alone.calends("webhooks", "--port", str(first))
        told = f"calends: the port 127.0.0.1:{first} cannot be opened"
        assert (second.returncode, told in second.stderr.splitlines()) == (3, True), second.stderr
    finally:
        process.kill()
        alone.close()

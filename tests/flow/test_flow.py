"""The assembled worker, from the record to the vendor. What is asserted was counted at the vendor."""

from __future__ import annotations

import itertools
import signal
import time
from functools import partial
from typing import Any

from tests.flow.assembly import APPOINTMENT, Assembly, appointment, until

BOTH = ("ecal", "calreply")


def begin(assembly: Assembly, **options: Any) -> None:
    assembly.start(**options)
    if not assembly.embedded:
        assert assembly.calends("migrate").returncode == 0


def titles(count: int, title: str = "t{}") -> dict[str, str]:
    return {f"k{number}": title.format(number) for number in range(count)}


def arrive(
    assembly: Assembly, expected: dict[str, str], seconds: float = 30.0, vendors: tuple[str, ...] = BOTH
) -> None:
    for vendor in vendors:
        until(partial(assembly.converged, vendor, expected), seconds, f"{vendor} holds {len(expected)}")


def clean(assembly: Assembly) -> None:
    """No double at either vendor, and no write after which an older one came."""
    for vendor in BOTH:
        assert assembly.sandbox.judge(vendor)["doubles"] == []


def test_every_event_becomes_an_entry_at_both_vendors_once(assembly: Assembly) -> None:
    begin(assembly)
    assembly.publish((key, appointment(key, title)) for key, title in titles(200).items())
    assembly.worker()
    arrive(assembly, titles(200))
    for vendor in BOTH:
        assert assembly.sandbox.counters(vendor)["calls"] == 200
    clean(assembly)


def test_the_newest_state_wins_whatever_the_order_of_arrival(assembly: Assembly) -> None:
    begin(assembly)
    now = time.time()
    orders = itertools.permutations((1, 2, 3))
    events = [
        (f"k{number}", appointment(f"k{number}", f"t{version}", at=now + version / 1000))
        for number, order in enumerate(orders)
        for version in order
    ]
    assembly.publish(events)
    assembly.worker()
    arrive(assembly, titles(6, "t3"))


def test_updates_and_cancels_find_the_vendors_own_entry(assembly: Assembly) -> None:
    begin(assembly)
    now = time.time()
    assembly.worker()
    assembly.publish((key, appointment(key, "old", at=now)) for key in titles(10))
    arrive(assembly, titles(10, "old"))
    assembly.publish((key, appointment(key, "new", at=now + 1)) for key in titles(10))
    arrive(assembly, titles(10, "new"))
    assembly.publish((key, appointment(key, "", at=now + 2, kind="cancelled")) for key in titles(10))
    arrive(assembly, {})
    clean(assembly)


def test_created_and_cancelled_before_sending_is_no_call(assembly: Assembly) -> None:
    """Paused meanwhile: where one comes to the worker long enough before the other it is sent, and rightly so."""
    begin(assembly)
    now = time.time()
    assembly.worker()
    assembly.ready()
    assert assembly.calends("pause", "ecal").returncode == 0
    events = [("k", appointment("k", "t", at=now)), ("k", appointment("k", "", at=now + 1, kind="cancelled"))]
    assembly.publish([*events, ("other", appointment("other", "t"))])
    until(lambda: "calends_intake_batch_records_sum 3.0" in assembly.metrics(), 30, "all three are read")
    assert assembly.calends("resume", "ecal").returncode == 0
    arrive(assembly, {"other": "t"})
    assert assembly.sandbox.counters("ecal")["calls"] == 1


def test_five_updates_at_once_cost_one_call(assembly: Assembly) -> None:
    begin(assembly, quota=(50, 1.0), ecal={"quota": [[50, 1]]}, calreply={"quota": [[50, 1]]})
    now = time.time()
    events = [
        (key, appointment(key, f"v{version}", at=now + version / 1000)) for version in range(5) for key in titles(100)
    ]
    assembly.publish(events)
    assembly.worker()
    arrive(assembly, titles(100, "v4"))
    counters = assembly.sandbox.counters("ecal")
    assert counters["refused_429"] == 0
    assert counters["calls"] <= 115


def test_poison_is_dead_lettered_whole_and_what_is_around_it_is_delivered(assembly: Assembly) -> None:
    begin(
        assembly, ecal={"faults": {"refuse_titles": "^refused$"}}, calreply={"faults": {"refuse_titles": "^refused$"}}
    )
    good = titles(30)
    assembly.publish((key, appointment(key, title)) for key, title in list(good.items())[:15])
    headers = [("content-type", b"application/cloudevents+json"), ("trace", b"\x00\xff")]
    no_json, failing = b"\xff{not json", appointment("not a key!", "t")
    refused = appointment("refused", "refused")
    assembly.publish([("p1", no_json), ("p2", failing), ("p3", refused)], headers=headers)
    assembly.publish((key, appointment(key, title)) for key, title in list(good.items())[15:])
    assembly.worker()
    arrive(assembly, good)
    letters = assembly.dead_letters(4)
    found = sorted((letter.key(), letter.value(), dict(letter.headers())["calends-stage"]) for letter in letters)
    assert found == [
        (b"p1", no_json, b"decode"),
        (b"p2", failing, b"rule"),
        (b"p3", refused, b"send"),
        (b"p3", refused, b"send"),
    ]
    assert all(letter.headers()[:2] == headers for letter in letters)


def test_an_outage_holds_one_vendor_and_spends_nothing(assembly: Assembly) -> None:
    begin(assembly, ecal={"faults": {"outage": True}})
    assembly.publish((key, appointment(key, title)) for key, title in titles(60).items())
    assembly.worker()
    arrive(assembly, titles(60), vendors=("calreply",))
    time.sleep(3)
    assert assembly.sandbox.counters("ecal")["requests"] < 60, "a held lane must not call"
    assembly.sandbox.fault("ecal", outage=None)
    arrive(assembly, titles(60), 60)
    assert assembly.dead_letters(0, seconds=2) == []
    clean(assembly)


def test_a_revoked_credential_holds_one_vendor_and_spends_nothing(assembly: Assembly) -> None:
    begin(assembly, ecal={"faults": {"revoked": True}}, calreply={"faults": {"revoked": True}})
    assembly.publish((key, appointment(key, title)) for key, title in titles(40).items())
    assembly.worker()
    time.sleep(6)
    for vendor in BOTH:
        assembly.sandbox.fault(vendor, revoked=None)
    arrive(assembly, titles(40), 60)
    assert assembly.dead_letters(0, seconds=2) == []
    clean(assembly)


def test_a_lost_answer_doubles_nothing(assembly: Assembly) -> None:
    begin(assembly, ecal={"faults": {"lost_answer_rate": 0.3}}, calreply={"faults": {"lost_answer_rate": 0.3}})
    assembly.publish((key, appointment(key, title)) for key, title in titles(40).items())
    assembly.worker()
    time.sleep(4)
    for vendor in BOTH:
        assembly.sandbox.fault(vendor, lost_answer_rate=None)
    arrive(assembly, titles(40), 60)
    clean(assembly)
    assert assembly.dead_letters(0, seconds=2) == []


def test_a_throttled_account_waits_for_as_long_as_it_is_told(assembly: Assembly) -> None:
    begin(
        assembly,
        ecal={"quota": [[10, 2]], "retry_after": "seconds"},
        calreply={"quota": [[10, 2]], "retry_after": "date"},
    )
    assembly.publish((key, appointment(key, title)) for key, title in titles(40).items())
    assembly.worker()
    arrive(assembly, titles(40), 60)
    assert assembly.dead_letters(0, seconds=2) == []
    assert assembly.sandbox.counters("ecal")["refused_429"] < 60


def test_a_killed_worker_loses_and_repeats_nothing(assembly: Assembly) -> None:
    begin(assembly, quota=(100, 1.0), ecal={"faults": {"latency_ms": 50}})
    assembly.publish((key, appointment(key, title)) for key, title in titles(300).items())
    first = assembly.worker()
    until(lambda: assembly.sandbox.counters("ecal")["calls"] > 40, 30, "some calls were made")
    first.kill()
    first.wait()
    assembly.worker()
    arrive(assembly, titles(300), 60)
    clean(assembly)


def test_sigterm_under_load_ends_in_time_and_repeats_nothing(assembly: Assembly) -> None:
    begin(assembly, quota=(100, 1.0), ecal={"faults": {"latency_ms": 100}})
    assembly.publish((key, appointment(key, title)) for key, title in titles(300).items())
    first = assembly.worker()
    until(lambda: assembly.sandbox.counters("ecal")["calls"] > 40, 30, "some calls were made")
    first.send_signal(signal.SIGTERM)
    assert first.wait(10) == 0
    assembly.worker()
    arrive(assembly, titles(300), 60)
    for vendor in BOTH:
        assert assembly.sandbox.counters(vendor)["calls"] == 300
    clean(assembly)


def test_short_lived_tokens_lose_nothing(assembly: Assembly) -> None:
    begin(assembly, quota=(40, 1.0), calreply={"config": {"access_seconds": 2}, "faults": {"latency_ms": 50}})
    assembly.publish((key, appointment(key, title)) for key, title in titles(240).items())
    assembly.worker()
    arrive(assembly, titles(240), 60)
    counters = assembly.sandbox.counters("calreply")
    assert counters["token_concurrency_max"] == 1
    assert counters["token_requests"] <= 8


def test_no_secret_and_no_personal_datum_is_logged(assembly: Assembly) -> None:
    begin(assembly, ecal={"faults": {"lost_answer_rate": 0.5}})
    assembly.publish((key, appointment(key, f"Visit of Ada {key}")) for key in titles(20))
    assembly.publish([("bad", b"Ada Lovelace, no JSON")])
    assembly.worker()
    arrive(assembly, titles(20, "Visit of Ada k{}"), 60, vendors=("calreply",))
    seen = assembly.log() + assembly.metrics()
    for secret in ("test-secret", "test-key", "apiSign", "Ada", "fcaf2d43"):
        assert secret not in seen
    assert APPOINTMENT not in seen

"""Dead letters by command, from the topic back to the vendor."""

from __future__ import annotations

import json
from typing import Any

from tests.flow.assembly import Assembly, appointment, until
from tests.flow.test_flow import BOTH, arrive, begin, clean, titles

REFUSING = {"faults": {"refuse_titles": "^refused"}}


def listed(assembly: Assembly, *words: str) -> list[dict[str, Any]]:
    done = assembly.calends("dlq", "list", "--json", *words)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_letters_are_listed_replayed_once_and_discarded(assembly: Assembly) -> None:
    begin(assembly, ecal=REFUSING, calreply=REFUSING)
    assembly.worker()
    refused, good = titles(3, "refused{}"), {"good": "t"}
    assembly.publish([("p1", b"\xff{not json"), ("p2", appointment("not a key!", "t"))])
    assembly.publish((key, appointment(key, title)) for key, title in (refused | good).items())
    arrive(assembly, good)
    assembly.dead_letters(8)

    assert sorted(letter["stage"] for letter in listed(assembly)) == ["decode", "rule", *["send"] * 6]
    assert [letter["rule"] for letter in listed(assembly, "--stage", "rule")] == ["appointment"]
    assert len(listed(assembly, "--destination", "ecal", "--since", "1h")) == 3

    again = assembly.calends("dlq", "replay", "--stage", "decode", "--stage", "decode")
    assert (again.returncode, "fails: " in again.stdout) == (1, True), again.stdout + again.stderr

    for vendor in BOTH:
        assembly.sandbox.fault(vendor, refuse_titles=None)
    dry = assembly.calends("dlq", "replay", "--stage", "send", "--dry-run")
    assert (dry.returncode, dry.stdout) == (0, "6 would be replayed\n"), dry.stderr
    assert len(listed(assembly)) == 8

    done = assembly.calends("dlq", "replay", "--stage", "send")
    assert (done.returncode, done.stdout) == (0, "6 replayed\n"), done.stderr
    arrive(assembly, refused | good)
    assert assembly.calends("dlq", "replay", "--stage", "send").stdout == "no open letter is meant\n"
    clean(assembly)

    (rule,) = listed(assembly, "--stage", "rule")
    shown = assembly.calends("dlq", "show", rule["letter"])
    assert ("appointment" in shown.stdout, "not a key" in shown.stdout) == (True, False)
    assert "not a key" in assembly.calends("dlq", "show", rule["letter"], "--show-data").stdout
    assert assembly.calends("dlq", "discard").returncode == 2, "neither letters nor a filter nor --all"
    assert assembly.calends("dlq", "discard", "--all").stdout == "2 discarded\n"
    assert listed(assembly) == []
    acts = [act["action"] for act in json.loads(assembly.calends("audit", "--json").stdout)]
    assert acts == ["dlq discard", "dlq replay", "dlq replay", "dlq replay"]


def test_a_letter_that_is_stale_is_refused(assembly: Assembly) -> None:
    begin(assembly, ecal=REFUSING, calreply=REFUSING)
    assembly.worker()
    assembly.publish([("good", appointment("good", "t"))])
    assembly.publish([("k", appointment("k", "refused", at=1_750_000_000.0))])
    arrive(assembly, {"good": "t"})
    assembly.dead_letters(2)
    assembly.publish([("k", appointment("k", "newer", at=1_750_000_001.0))])
    arrive(assembly, {"good": "t", "k": "newer"})

    done = assembly.calends("dlq", "replay", "--all")

    words = "2 stale: the ledger holds this, or something newer; discard them\n"
    assert (done.returncode, done.stdout) == (0, words), done.stderr
    until(lambda: assembly.converged("ecal", {"good": "t", "k": "newer"}), 5, "nothing older was sent")
    assert len(listed(assembly)) == 2

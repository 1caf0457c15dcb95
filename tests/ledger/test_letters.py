"""Replays of dead letters in the ledger: each once, never older over newer, nothing where it would die again."""

from __future__ import annotations

from msgspec.structs import replace

from pipeline.ledger import Ledger, Replayed
from pipeline.model.facts import Policy
from pipeline.model.outcome import Accepted, Rejected
from tests.ledger.acts import change, posted, take
from tests.ledger.conftest import Open
from tests.ledger.test_holds import claimed, end

PLACE = ("dead", 0, 5)
ROOMY = ((1000, 1.0),)


def state(ledger: Ledger) -> str:
    return ledger.entry("k")[0].state


def buried(ledger: Ledger) -> None:
    take(ledger, change("k"))
    end(ledger, claimed(ledger), Rejected("invalid", "422"))
    assert state(ledger) == "dead"


def test_a_dead_entry_is_tried_again_once(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    buried(ledger)
    assert ledger.letters.replay(PLACE, [change("k")]) == Replayed(revived=1)
    assert state(ledger) == "ready"
    assert ledger.letters.replay(PLACE, [change("k")]) == Replayed(ended=True)
    end(ledger, claimed(ledger), Accepted("v"))
    assert (state(ledger), ledger.letters.ended("dead", {})) == ("idle", {(0, 5): "replayed"})


def test_a_repeat_of_what_died_has_a_letter_of_its_own(opened: Open) -> None:
    """It is the newest there is: the letter of the one before would be refused as stale."""
    ledger = opened(windows=ROOMY)
    buried(ledger)
    assert len(posted(ledger)) == 1
    take(ledger, change("k", 2, change("k")[0].content["title"]))
    assert (state(ledger), len(posted(ledger))) == ("dead", 1)
    take(ledger, change("k", 2, change("k")[0].content["title"]))
    assert posted(ledger) == [], "the same record again"


def test_to_see_what_would_come_of_it_changes_nothing(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    buried(ledger)
    assert ledger.letters.replay(PLACE, [change("k")], dry=True).done
    assert (state(ledger), ledger.letters.ended("dead", {})) == ("dead", {})


def test_what_is_stale_is_refused_and_stays_open(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    buried(ledger)
    take(ledger, change("k", 2, "newer"))
    assert ledger.letters.replay(PLACE, [change("k")]) == Replayed(stale=1)
    end(ledger, claimed(ledger), Accepted("v"))
    assert ledger.letters.replay(PLACE, [change("k", 2, "newer")]) == Replayed(stale=1), "it was delivered"
    assert ledger.letters.ended("dead", {}) == {}


def test_what_would_die_again_writes_no_second_letter(opened: Open) -> None:
    cannot = {"d": Policy("d", "a", needs_identity=lambda content: False, problems=lambda content: ["no"])}
    ledger = opened(cannot, ROOMY)
    take(ledger, change("k"))
    assert len(posted(ledger)) == 1
    came = ledger.letters.replay(PLACE, [change("k")])
    assert (came.dead, came.done) == (("invalid",), False)
    assert (state(ledger), posted(ledger), ledger.letters.ended("dead", {})) == ("dead", [], {})


def test_a_rule_that_was_corrected_writes_a_newer_revision(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    buried(ledger)
    was, raw = change("k")
    corrected = replace(was, version=was.version._replace(revision=2), content={"title": "corrected"})
    assert ledger.letters.replay(PLACE, [(corrected, raw)]) == Replayed(applied=1)
    assert ledger.entry("k")[0].desired == {"title": "corrected"}


def test_what_died_under_older_rules_is_tried_again_by_newer_ones_that_say_the_same(opened: Open) -> None:
    """A rule file that was changed elsewhere: the vendor's verdict is what the replay is to ask for again."""
    ledger = opened(windows=ROOMY)
    buried(ledger)
    was, raw = change("k")
    assert ledger.letters.replay(PLACE, [(replace(was, version=was.version._replace(revision=2)), raw)]).dead == ()
    assert (state(ledger), ledger.letters.ended("dead", {})) == ("ready", {(0, 5): "replayed"})


def test_a_letter_is_discarded_once_and_forgotten_with_its_record(opened: Open) -> None:
    ledger = opened()
    places = [("dead", 0, 1), ("dead", 0, 2)]
    assert (ledger.letters.discard(places), ledger.letters.discard(places)) == (2, 0)
    assert ledger.letters.ended("dead", {("dead", 0): 2}) == {(0, 2): "discarded"}

"""What a configuration says and nobody can have meant, though it works: what has no use, and what is likely a slip."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from pipeline.operate.check import Report
from pipeline.operate.reading import Source, Unreadable, read
from pipeline.rules.branches import failing
from pipeline.rules.language import did_you_mean, nearest, suggest
from pipeline.rules.masking import MASK, secret_in
from pipeline.rules.misread import bare_names, decimals, foreign, misspelt
from pipeline.rules.ordering import mixed
from pipeline.rules.patterns import is_topic, topic_of
from pipeline.rules.problem import Problem
from pipeline.rules.schema import Rules, Sourced, SourcedTest
from pipeline.rules.schema_words import misspelt_keywords
from pipeline.rules.whose import one_calendar
from pipeline.settings import Settings

GIVEN = ("type", "data", "id", "source", "time", "subject", "topic", "specversion")
"""Keys of a given event that have a meaning of their own."""
ALIKE = 0.85
"""How near a name must be, from 0 to 1, for the one to be the other misspelt: both could be meant."""


def warnings_of(report: Report) -> tuple[Problem, ...]:
    """All of them, in the order of files and lines; none where the settings cannot be read."""
    if report.settings is None:
        return ()
    try:
        source = read(report.file)
    except Unreadable:
        return ()
    found = [
        *_password(report.settings, source),
        *_unused(report.settings, report.rules, source),
        *_unread_topics(report.settings, report.rules),
    ]
    found += [
        *_untested(report.rules),
        *(untaken(report.rules) if report.lacks_only_secrets else ()),
        *foreign(report.rules),
        *bare_names(report.rules),
        *decimals(report.rules),
        *misspelt(report.rules),
        *misspelt_keywords(report.rules),
        *mixed(report.rules.rules),
        *one_calendar(report.rules.rules, report.views),
    ]
    told = {(one.file, one.line, one.column) for one in report.problems}
    found += (one for one in failing(report.rules) if (one.file, one.line, one.column) not in told)
    return tuple(sorted(found))


def _password(settings: Settings, source: Source) -> Iterator[Problem]:
    """A password of the ledger that whoever reads the settings knows."""
    place = ("ledger", "url")
    if secret_in(settings.ledger.url) and source.variable(place) is None:
        expected, advice = "an address without one", "set CALENDS_LEDGER__URL, and have this password changed"
        yield source.problem(
            place, "a password in the settings", f"a password in an address ({MASK})", expected, advice
        )


def _unused(settings: Settings, rules: Rules, source: Source) -> Iterator[Problem]:
    named = {name for sourced in rules.rules for name in sourced.destinations()}
    layers = {send.layer for sourced in rules.rules for send in sourced.rule.send}
    accounts = {destination.account for destination in settings.destinations.values()}
    # What cannot be read, or is misspelt, may mean any of them.
    whole = bool(rules.rules) and not rules.problems and named <= settings.destinations.keys()
    lost = any(name is not None and name not in settings.accounts for name in accounts)
    for name in settings.destinations if whole else ():
        if name not in named and name not in settings.hooked:
            place = ("destinations", name)
            yield source.problem(place, f"no rule sends to {name}", "an unused destination", "a rule with it in to:")
    for name in settings.accounts if not lost else ():
        if name not in accounts:
            yield source.problem(("accounts", name), f"no destination uses {name}", "an unused account", "")
    for index, layer in enumerate(settings.layers if whole else ()):
        if layer not in layers:
            yield source.problem(("layers", index), f"no rule writes {layer}", "an unused layer", f"layer: {layer}")


def _unread_topics(settings: Settings, rules: Rules) -> Iterator[Problem]:
    """Rules all of whose topics are not among those that the settings have us read."""
    kafka = settings.kafka
    if kafka.pattern is None and not kafka.topics:
        return
    for sourced in rules.rules:
        if not sourced.taken and not any(_is_read(settings, topic) for topic in sourced.rule.from_):
            found, read_ = ", ".join(sourced.rule.from_), kafka.pattern or ", ".join(kafka.topics)
            advice = suggest(sourced.rule.from_[0], kafka.topics)
            yield sourced.problem(("from",), "nobody reads the topic of this rule", found, read_, advice)


def _is_read(settings: Settings, name: str) -> bool:
    topic, kafka = topic_of(name), settings.kafka
    if name == kafka.inbound_topic or topic is None:
        return True
    if kafka.pattern is not None:
        return not isinstance(topic, str) or re.match(kafka.pattern, topic) is not None
    return any(is_topic(topic, one) for one in kafka.topics)


def _untested(rules: Rules) -> Iterator[Problem]:
    """A type that no test of its file has, where one has a type that is nearly it and that another rule takes."""
    globs = {glob for sourced in rules.rules for _, glob in _types(sourced)}
    for sourced in rules.rules:
        kinds = {str(one.get("type")) for test in rules.tests if test.file == sourced.file for one in test.test.given}
        given = {kind for kind in kinds if _is_any(kind, globs)}  # of the others it is told where they are given
        if given and not rules.of_tests:  # the test that has it may be the one that is wrong
            yield from (one for index, glob in _types(sourced) if (one := _near(sourced, index, glob, given)))


def _types(sourced: Sourced) -> Iterator[tuple[int, str]]:
    for index, on in enumerate(sourced.rule.events()):
        yield from ((index, glob) for glob in on.type)


def _near(sourced: Sourced, index: int, glob: str, given: set[str]) -> Problem | None:
    meant = nearest(glob, given, ALIKE)
    if meant is None or any(fnmatchcase(kind, glob) for kind in given):
        return None
    message = "no test of this file has an event of this type"
    return sourced.problem(("on", index), message, glob, "", did_you_mean(meant))


def untaken(rules: Rules) -> Iterator[Problem]:
    """Given events that no rule takes, or not from their topic, and keys of them that nobody reads."""
    globs = {glob for sourced in rules.rules for _, glob in _types(sourced)}
    for test in rules.tests:
        for index, given in enumerate(test.test.given):
            kind = given.get("type")
            if globs and isinstance(kind, str) and not _is_any(kind, globs):
                advice = suggest(kind, globs)
                place = ("given", index, "type")
                yield test.problem(place, "no rule takes a given event of this type", kind, "", advice)
            elif globs and isinstance(kind, str) and isinstance(topic := given.get("topic"), str):
                yield from _from_elsewhere(rules, test, index, kind, topic)
            yield from (_unread_key(name, index, test) for name in given if _is_unread_key(name, given))


def _from_elsewhere(rules: Rules, test: SourcedTest, index: int, kind: str, topic: str) -> Iterator[Problem]:
    """A given event in a topic from which no rule takes its type: nothing comes of it, as a test may expect."""
    takes = [one.rule for one in rules.rules if _is_any(kind, {glob for _, glob in _types(one)})]
    names = sorted({name for rule in takes for name in rule.from_})
    topics = [topic_of(name) for name in names]
    if not any(one is None or is_topic(one, topic) for one in topics):
        message = "no rule reads a given event of this type from this topic"
        place = ("given", index, "topic")
        yield test.problem(place, message, topic, ", ".join(names), suggest(topic, names))


def _is_any(kind: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(kind, glob) for glob in globs)


def _unread_key(name: str, index: int, test: SourcedTest) -> Problem:
    place, expected = ("given", index, name), "one of " + ", ".join(GIVEN)
    return test.problem(place, "an unknown key in a given event", name, expected, suggest(name, GIVEN))


def _is_unread_key(name: str, given: Mapping[str, Any]) -> bool:
    """A CloudEvent may have any attribute, and without `data` all is data: of those, what is nearly a known key."""
    if name in GIVEN or not isinstance(given.get("type"), str):
        return False
    if "data" in given and not ("id" in given and "source" in given):
        return True
    return nearest(name, GIVEN, ALIKE) is not None

"""A first rule out of a sample event: what each field may be is guessed by its name and value, and said beside it.

The rule and its test are text, with comments, for a person to go on from. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.model.entry import KEY_PATTERN
from pipeline.model.event import DomainEvent
from pipeline.model.when import BadTime, parse_date, parse_moment, zone_named
from pipeline.rules.adapt import DestinationView
from pipeline.rules.check import check_rules
from pipeline.rules.masking import masked
from pipeline.rules.problem import Problem
from pipeline.rules.reading import load_text
from pipeline.vendors import vendors

Path = tuple[str, ...]
PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NOT_IN_A_GLOB = re.compile(r"[\\+^$|(){}\[\]*\s]")
"""What `on:` does not take for itself: any one character stands for it."""
PEOPLE = (
    "customer", "subscriber", "user", "member", "person", "patient", "client", "guest", "attendee", "participant",
    "recipient", "passenger", "traveller", "student", "pupil", "player", "resident", "tenant", "owner", "holder",
    "employee", "driver", "worker", "volunteer", "assignee", "contact", "account",
)  # fmt: skip
HOLDS = {
    "title": ("title", "name", "subject", "summary", "service", "label"),
    "description": ("description", "text", "body", "note", "details"),
    "location": ("location", "place", "address", "venue", "room", "city"),
    "start": ("start", "starts", "from", "begin", "begins", "due", "date", "departure", "kickoff", "at"),
    "end": ("end", "ends", "until", "to", "finish", "arrival"),
    "time_zone": ("zone", "timezone", "tz"),
    "key": ("number", "id", "reference", "ref", "code", "key", "booking", "invoice"),
    "subscriber": PEOPLE,
}
"""Words in a field's name that tell what it may be, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """The text of a rule file."""

    event: DomainEvent
    given: Mapping[str, Any]
    """The sample as it was written, for the test."""
    view: DestinationView
    found: dict[str, tuple[Path, Any]] = field(default_factory=dict)
    needed: set[str] = field(default_factory=set)
    """Fields that the vendor needs beside those that it always requires."""

    @property
    def name(self) -> str:
        """The rule's name: the last two words of the event's type."""
        words = re.findall(r"[A-Za-z0-9]+", self.event.type)[-2:]
        return "-".join(words).lower() or "first-rule"


def sketch(event: DomainEvent, given: Mapping[str, Any], topic: str, view: DestinationView) -> str:
    """A rule for events like this one, with a test that it passes."""
    made = Sketch(event, masked(given), view)
    leaves = list(_leaves(masked(event.data), ()))
    for role, fits in FITS.items():
        chosen = _likeliest(role, [leaf for leaf in leaves if fits(leaf[1])], {p for p, _ in made.found.values()})
        if chosen is not None:
            made.found[role] = chosen
    for _ in range(3):  # a vendor may tell the next thing that is missing once it has the first
        said = " ".join(f"{problem.message} {problem.found}" for problem in _problems(_written(made, topic), view))
        made.needed.update(re.findall(r" needs (\w+)", said) + re.findall(r"(\w+) is (?:required|missing)", said))
    return _written(made, topic)


def _written(made: Sketch, topic: str) -> str:
    return "\n".join([*_rule(made, topic), "", *_test(made)]) + "\n"


def _problems(text: str, view: DestinationView) -> list[Problem]:
    return check_rules(load_text(text, "", vendors()), {view.name: view})


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for name, member in value.items():
            if PLAIN_NAME.fullmatch(name):
                yield from _leaves(member, (*path, name))
    elif path:
        yield path, value


def _likeliest(role: str, leaves: list[tuple[Path, Any]], taken: set[Path]) -> tuple[Path, Any] | None:
    """The field whose name has the likeliest word; of start, any time will do."""
    free = [leaf for leaf in leaves if leaf[0] not in taken]
    for word in HOLDS[role]:
        for leaf in free:
            if word in re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", ".".join(leaf[0])).lower()):
                return leaf
    return free[0] if free and role == "start" else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_moment(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(parse_date(value) if len(value) == 10 else parse_moment(value))
    except BadTime:
        return False


def _is_zone(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(zone_named(value))
    except BadTime:
        return False


def _is_key(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and bool(re.fullmatch(KEY_PATTERN, str(value)))


FITS: Mapping[str, Callable[[Any], bool]] = {
    "time_zone": _is_zone,
    "start": _is_moment,
    "end": _is_moment,
    "subscriber": _is_key,  # before the key: a person's number is no entry's
    "key": _is_key,
    "title": _is_text,
    "description": _is_text,
    "location": _is_text,
}


# the text ----------------------------------------------------------------------------------------------------------


def _rule(made: Sketch, topic: str) -> Iterator[str]:
    view, expression = made.view, made.view.expression()
    kind = _text(made.event.type)
    yield f"# A first rule for {kind}, made from a sample. Change what does not fit, then: calends test"
    yield "rules:"
    yield f"  - name: {made.name}"
    yield f"    from: [{_text(topic)}]  # the topics that may say this; anybody can write a type"
    yield f"    on: {_text(NOT_IN_A_GLOB.sub('?', made.event.type))}"
    yield '    # when: "{{ data.amount > 0 }}"  # true or false; without it, always'
    yield "    send:"
    yield f"      - to: [{view.name}]  # destinations of the settings"
    yield "        # The same key is the same entry: a later event changes it."
    yield f"        key: {_key(made)}"
    if expression.needs_identity:
        yield "        # Your own id of the person; a link: rule tells who that is at the vendor."
        yield f"        subscriber: {_subscriber(made)}"
    yield "        entry:"
    for line in _entry(made):
        yield f"          {line}"
    yield "        # expires_at, if_unsent, layer, cancel: docs/rules.md"


def _entry(made: Sketch) -> Iterator[str]:
    view, sayable = made.view, made.view.sayable()
    for name in ("title", "description", "location", "start", "end", "time_zone"):
        if name in made.found and name in sayable and not _all_day_zone(name, made):
            yield f"{name}: {_template(made.found[name][0])}"
        elif name in (view.expression().required | made.needed) - set(view.defaults):
            yield f"{name}: {_text(_stand_in(name, made))}  # {view.name} needs one; the sample has none"
    if _all_day(made) and "all_day" in sayable:
        yield "all_day: true"
    for name in sorted((view.expression().required | made.needed) - {*HOLDS, "all_day"} - set(view.defaults)):
        yield f"{name}: {_json(STAND_INS.get(name, 'x'))}  # {view.name} needs it"


STAND_INS: Mapping[str, Any] = {"participants": [{"name": "Somebody", "email": "somebody@example.org"}]}


def _stand_in(name: str, made: Sketch) -> str:
    match name:
        case "start":
            return "2027-01-01"
        case "time_zone":
            return "UTC"
        case "title":
            return made.name.replace("-", " ").capitalize()
        case _:
            return "Online" if name == "location" else made.name


def _all_day(made: Sketch) -> bool:
    return len(str(made.found["start"][1])) == 10 if "start" in made.found else True


def _all_day_zone(name: str, made: Sketch) -> bool:
    """An end that is not of the start's kind, or before it, says nothing."""
    if name != "end" or "start" not in made.found:
        return name == "end"
    start, end = str(made.found["start"][1]), str(made.found["end"][1])
    return len(start) != len(end) or end <= start


def _key(made: Sketch) -> str:
    prefix = re.sub(r"[^A-Z]", "", made.name.upper())[:3]
    if "key" in made.found:
        return _quoted(f"{prefix}-{_expression(made.found['key'][0])}")
    return f"{_quoted(prefix)}  # the sample has nothing that names it: every event changes this one entry"


def _subscriber(made: Sketch) -> str:
    if "subscriber" in made.found:
        return _template(made.found["subscriber"][0])
    return "somebody  # not found in the sample: put the path of your own id here, or all are one person's"


def _template(path: Path) -> str:
    return _quoted(_expression(path))


def _expression(path: Path) -> str:
    return "{{ " + ".".join(("data", *path)) + " }}"


def _test(made: Sketch) -> Iterator[str]:
    yield "tests:"
    yield f"  - name: {made.name} becomes an entry"
    yield "    given:"
    yield f"      - {_json(made.given)}"
    yield "    expect:"
    yield f"      - to: {made.view.name}"
    yield f"        key: {_text(_expected_key(made))}"
    title = made.found["title"][1] if "title" in made.found else _stand_in("title", made)
    yield f"        entry: {{title: {_json(title)}}}"


def _expected_key(made: Sketch) -> str:
    prefix = re.sub(r"[^A-Z]", "", made.name.upper())[:3]
    return f"{prefix}-{made.found['key'][1]}" if "key" in made.found else prefix


def _quoted(text: str) -> str:
    return f'"{text}"'


def _text(value: str) -> str:
    return value if re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", value) else _json(value)


def _json(value: Any) -> str:
    """JSON that is YAML too: what YAML takes for no text is escaped."""
    dumped = json.dumps(value, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", dumped)

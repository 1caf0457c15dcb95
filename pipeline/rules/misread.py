"""Texts that do not say what was meant: templates that are none, as YAML takes them for a comment, as they are of
another language or without their braces, and attributes that events do not have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.rules.language import did_you_mean, nearest, pieces
from pipeline.rules.masking import quoted, shown
from pipeline.rules.paths import paths
from pipeline.rules.problem import Problem, Spot, Where, leaves
from pipeline.rules.schema import Rules, Sourced

_COMMENT = r"\s+#[^\s\"']*\{\{"
ATTRIBUTES = ("id", "source", "type", "subject", "time", "specversion", "datacontenttype", "dataschema")
"""What CloudEvents 1.0 names."""
_OF_THE_RECORD = "that is of Kafka's record; write a field of data, or event.subject"
OF_RECORDS = dict.fromkeys(("key", "topic", "partition", "offset", "headers"), _OF_THE_RECORD)
"""What a record of Kafka has and its event does not → what to do."""
_FOREIGN = re.compile(
    r"(?<!\{)(?:\$\{|\{)\s*(?P<braced>(?:data|event|item)(?:\.\w+|\[[^\]{}]*\])+)[^{}]*\}(?!\})"
    r"|\$\.?(?P<bare>(?:data|event|item)(?:\.\w+)+)"
    r"|<%=?\s*(?P<tag>(?:data|event|item)(?:\.\w+)+)[^%]*%>"
)
_BARE = re.compile(r"(?:data|event|item)(?:\.[^\W\d]\w*|\[[^\]]*\])+")
_DECIMAL = re.compile(r"\|\s*(?:float|round\(\s*([1-4])\s*\))\s*\Z")
NAMES = ("key", "group", "subscriber", "identity", "ended")
"""What names an entry or a person: a path without braces would be one name for all events."""


def cut_off(parsed: Any, spots: Mapping[Where, Spot], text: str, file: str) -> Iterator[Problem]:
    """Values of which YAML takes the rest for a comment, with a template in it: `Invoice #{{ data.n }}`."""
    lines = text.split("\n")
    for at, value in leaves(parsed):
        spot = spots.get(at) if at else None  # a file that is one value has no rules
        line = lines[spot.line - 1][max(spot.column - 1, 0) :] if spot is not None and spot.line <= len(lines) else ""
        if spot is not None and isinstance(value, str | None) and re.match(_written(at[-1], value) + _COMMENT, line):
            expected, advice = "a text in quotes", 'put quotes around it: "… #{{ … }}"'
            yield Problem.at(file, spot, "YAML takes this template for a comment", "#{{ … }}", expected, advice)


def _written(name: str | int, value: str | None) -> str:
    """How a value stands there without quotes, which no comment can cut: an item alone, a field after its key."""
    key = rf"['\"]?{re.escape(name)}['\"]?\s*:(?:\s+[&!]\S+)*" if isinstance(name, str) else ""
    return key + (r"\s*" + re.escape(value) if value is not None else "")


def foreign(rules: Rules) -> Iterator[Problem]:
    """What is a template elsewhere, `${data.n}` or `{ data.n }`: here it goes into calendars as it stands."""
    for sourced in rules.rules:
        for at, text in _texts(sourced):
            yield from (_told(sourced, at, match[0], _path(match)) for match in _FOREIGN.finditer(text))
            if _BARE.fullmatch(text) and at[-1] not in NAMES:
                yield _told(sourced, at, text, text)


def bare_names(rules: Rules) -> Iterator[Problem]:
    """Paths without their braces where each event may have a name of its own."""
    for sourced in rules.rules:
        for at, text in sourced.texts():
            if len(at) == 3 and at[0] in ("send", "link") and at[2] in NAMES and _BARE.fullmatch(text):
                message, expected = f"{at[2]} would be this text for every event", "a template"
                yield sourced.problem(at, message, quoted(text), expected, f'write "{{{{ {text} }}}}"')


def decimals(rules: Rules) -> Iterator[Problem]:
    """Numbers that print inside a text only where they are whole."""
    for sourced in rules.rules:
        for at, text in sourced.texts():
            parts = pieces(text)[0]
            for match in (_DECIMAL.search(one.text) for one in parts if one.kind == "expression" and len(parts) > 1):
                if match is not None:
                    message, expected = "a decimal number does not print inside a text", "a whole number, or a text"
                    advice = f"write number({match[1] or 2}) instead"
                    yield sourced.problem(at, message, quoted(match[0].strip(" |")), expected, advice)


def misspelt(rules: Rules) -> Iterator[Problem]:
    """Attributes of an event that are nearly those of CloudEvents: an extension may have any name."""
    for sourced in rules.rules:
        for at, text in sourced.texts():
            for path in paths(text):
                name = str(path.parts[1]) if path.parts[0] == "event" and len(path.parts) > 1 else ""
                meant = _attribute_meant(name)
                advice = did_you_mean(meant and f"event.{meant}") or OF_RECORDS.get(name)
                if advice:
                    message, expected = "no usual attribute of an event", "one of " + ", ".join(ATTRIBUTES)
                    yield sourced.problem(at, message, str(path)[:60], expected, advice)


def _attribute_meant(name: str) -> str | None:
    if name in ("timestamp", "datetime"):
        return "time"
    alike = 0.85 if len(name) < 4 else 0.75  # uid is no id
    return None if name in ATTRIBUTES else nearest(name, ATTRIBUTES, alike)


def _texts(sourced: Sourced) -> Iterator[tuple[Where, str]]:
    """What is text in each value, also beside templates."""
    for index, send in enumerate(sourced.rule.send):
        place: Where = ("send", index)
        said = {"key": send.key, "group": send.group, "subscriber": send.subscriber, "identity": send.identity}
        entry = send.entry.said() if send.entry else {}
        for at, value in leaves({**said, "entry": entry, **send.own}, place):
            if isinstance(value, str):
                yield from ((at, piece.text) for piece in pieces(value)[0] if piece.kind == "text")


def _path(match: re.Match[str]) -> str:
    return match["braced"] or match["bare"] or match["tag"]


def _told(sourced: Sourced, at: Where, found: str, path: str) -> Problem:
    message = "this is no template: it is sent as it stands"
    return sourced.problem(at, message, shown(found), "", f"write {{{{ {path} }}}}")

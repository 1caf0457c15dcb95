"""What a rule says that no event can make right: it compiles, and fails or never applies with every event."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pipeline.model.change import BASE
from pipeline.model.event import TOMBSTONE
from pipeline.rules import slots
from pipeline.rules.arguments import UNKNOWN, misused, value_of
from pipeline.rules.compiled import CompiledRule, CompiledSend
from pipeline.rules.language import TRIMS, did_you_mean, nearest, pieces
from pipeline.rules.lexer import Word, tokens
from pipeline.rules.linking import LINKED, SEEN, UNLINKED
from pipeline.rules.masking import PEOPLE, shown
from pipeline.rules.paths import paths, templates
from pipeline.rules.problem import Problem, Where
from pipeline.rules.render import RenderError, Scope, Template
from pipeline.rules.schema import Sourced

_OF_KEYS = re.compile(r"[A-Za-z0-9._:-]*")
_OF_TIMES = re.compile(r"[0-9TtZz:+.\s-]*")
MOMENTS = ("start", "end", "deliver_at", "expires_at")
_WEB = re.compile(r"(https?://[^\s/]|mailto:[^\s]|tel:[^\s])", re.IGNORECASE)
_BEGUN = re.compile(r"(https?://|mailto:|tel:)", re.IGNORECASE)
OWN_TYPES = (TOMBSTONE, LINKED, UNLINKED, SEEN)
"""Types that rules take of what Calends itself writes."""


def futile(sourced: Sourced, rule: CompiledRule) -> Iterator[Problem]:
    """What is certain of one rule, at its place in the file."""
    for at, template, _ in templates(rule):
        yield from _template(sourced, at, template)
    yield from _types(sourced)
    yield from _of_tombstones(sourced, rule)
    yield from _never(sourced, rule.when)
    for index, send in enumerate(rule.sends):
        yield from _keyless(sourced, ("send", index), send)
        yield from _key(sourced, ("send", index, "key"), send.key)
        yield from _key(sourced, ("send", index, "group"), send.group)
        yield from _links(sourced, ("send", index, "entry", "links"), send)
        yield from _expired(sourced, ("send", index, "expires_at"), send)
        yield from _no_day(sourced, ("send", index, "entry", "end"), send)
        for name, node in send.entry.items():
            if node == "omit":
                yield _no_omit(sourced, ("send", index, "entry", name), f"leave {name} out, or write {{{{ omit }}}}")


def _template(sourced: Sourced, at: Where, template: Template) -> Iterator[Problem]:
    yield from _beside_a_time(sourced, at, template)
    for path in paths(template.source):
        if path.parts[:2] == ("event", "data"):
            meant = ".".join(map(str, path.parts[1:]))
            yield sourced.problem(at, "an event's data is no attribute of it", str(path)[:60], "data", f"write {meant}")
    for one in misused(template.source):
        message = "a filter that cannot take its arguments"
        found = one.found.partition("(")[0] if PEOPLE.intersection(at) else one.found
        yield sourced.problem(at, message, found, one.why, f"write {one.form}")
    if re.search(r"\|\s*default\(\s*(['\"])omit\1\s*\)", template.source):
        yield _no_omit(sourced, at, "write default(omit)")
    yield from _no_default(sourced, at, template)


def _no_default(sourced: Sourced, at: Where, template: Template) -> Iterator[Problem]:
    """A default of nothing where there must be a text. A key may say omit: it is then the event's own."""
    if template.whole and at[-1] != "key":
        return
    nothing = ("none", "None") if template.whole else ("none", "None", "omit")
    for piece in pieces(template.source)[0]:
        words = [word for _, word in tokens(piece.text)[0]] if piece.kind == "expression" else []
        if words[-5:-2] == ["|", "default", "("] and words[-2] in nothing:
            said = words[-2]
            message = f"a key cannot be {said}" if template.whole else f"{said} does not print inside a text"
            advice = "write default('x'), or take it out"
            yield sourced.problem(at, message, f"default({said})", "a text or an integer", advice)


def _no_omit(sourced: Sourced, at: Where, advice: str) -> Problem:
    return sourced.problem(at, "the calendar would show the text omit", "omit as a text", "omit without quotes", advice)


def _beside_a_time(sourced: Sourced, at: Where, template: Template) -> Iterator[Problem]:
    """A text beside a time that is in no time, such as `{{ data.start }} - 1d`."""
    if template.whole or at[-1] not in MOMENTS or (len(at) > 3 and at[2] != "entry"):
        return
    for piece in pieces(template.source)[0]:
        if piece.kind == "text" and not _OF_TIMES.fullmatch(piece.text):
            expected, advice = "a date or a time alone", "write {{ … | plus('1d') }} or {{ … | minus('1d') }}"
            yield sourced.problem(at, f"{at[-1]} is not right", shown(piece.text), expected, advice)
            return


def _key(sourced: Sourced, at: Where, key: slots.Node) -> Iterator[Problem]:
    """A key that its own text makes too long, or that has a character in it which no key has. Where marks trim the
    text, nothing is certain."""
    if not isinstance(key, Template) or key.whole or TRIMS.search(key.source):
        return
    parts = pieces(key.source)[0]
    texts = [piece.text for piece in parts if piece.kind == "text"]
    length = sum(map(len, texts))
    expected = "1 to 200 of A-Z a-z 0-9 . _ : -"
    if length > 200 and all(piece.kind != "statement" for piece in parts):
        yield sourced.problem(at, f"{at[-1]} is not right", f"{length} characters", expected)
    wrong = next((text for text in texts if not _OF_KEYS.fullmatch(text)), None)
    if wrong is not None:
        yield sourced.problem(at, f"{at[-1]} is not right", shown(wrong), expected)


def _keyless(sourced: Sourced, at: Where, send: CompiledSend) -> Iterator[Problem]:
    """What goes to an entry that is there, with a key of its own event alone: no entry has it."""
    omitted = isinstance(send.key, Template) and re.fullmatch(r"\{\{-?\s*omit\s*-?\}\}", send.key.source) is not None
    if not omitted and (send.key is not None or send.each is not None or not sourced.whole or "key" in sourced.strange):
        return
    found = "key: {{ omit }}" if omitted else "no key"
    expected = "key: as the rule says it that makes the entry"
    if send.layer != BASE:
        yield sourced.problem((*at, "key" if omitted else "layer"), "a layer needs a key", found, expected)
    elif send.if_unsent == "skip" and send.kind == "upsert":
        message = "if_unsent: skip needs a key: it creates nothing"
        yield sourced.problem((*at, "key" if omitted else "if_unsent"), message, found, expected)
    elif send.kind != "upsert" and omitted:
        yield sourced.problem((*at, "key"), "this ends no entry", found, expected)


def _links(sourced: Sourced, at: Where, send: CompiledSend) -> Iterator[Problem]:
    links = send.entry.get("links")
    for index, link in enumerate(links if isinstance(links, list) else ()):
        url = link.get("url") if isinstance(link, dict) else None
        if not _leads(url):
            message, expected = "url is no address that a calendar can open", "https://…, mailto:… or tel:…"
            yield sourced.problem((*at, index, "url"), message, _beginning(url)[:60], expected)


def _leads(url: slots.Node) -> bool:
    """Whether a calendar may open it; of a template, what stands before its first braces must be able to begin one."""
    if not isinstance(url, str | Template):
        return True
    text = _beginning(url)
    if isinstance(url, str):
        return bool(_WEB.match(text))
    schemes = ("https://", "http://", "mailto:", "tel:")
    return bool(_BEGUN.match(text)) or any(scheme.startswith(text.lower()) for scheme in schemes)


def _beginning(node: slots.Node) -> str:
    """The text before the first braces."""
    if not isinstance(node, Template):
        return str(node)
    first = next(iter(pieces(node.source)[0]), None)
    return first.text if first is not None and first.kind == "text" else ""


def _expired(sourced: Sourced, at: Where, send: CompiledSend) -> Iterator[Problem]:
    first, last = _instant(send.deliver_at), _instant(send.expires_at)
    if first is not None and last is not None and last <= first:
        message = "it expires before it may be delivered: it would never be created"
        yield sourced.problem(at, message, str(send.expires_at), f"after deliver_at, {send.deliver_at}")


def _no_day(sourced: Sourced, at: Where, send: CompiledSend) -> Iterator[Problem]:
    """An all-day end that is the start: that day is not in it."""
    start, end = send.entry.get("start"), send.entry.get("end")
    if send.entry.get("all_day") is not True or not (isinstance(start, Template) and isinstance(end, Template)):
        return
    said = _said(end)
    if said == _said(start) and "omit" not in end.source:
        expected = "the day after the last: an all-day end is exclusive"
        later = f"write {{{{ {pieces(end.source)[0][0].text} | plus('1d') }}}}, or "
        whole = later if end.whole and ("name", "if") not in said[0] else ""
        yield sourced.problem(at, "end can never be right", "the same as start", expected, f"{whole}leave end out")


def _said(template: Template) -> list[str | list[Word]]:
    """A template without regard to the spaces in its braces."""
    return [piece.text if piece.kind == "text" else tokens(piece.text)[0] for piece in pieces(template.source)[0]]


def _instant(node: slots.Node) -> datetime | None:
    try:
        return None if node is None or isinstance(node, Template) else slots.instant(node, "UTC")
    except (RenderError, ValueError, OverflowError):
        return None


def _types(sourced: Sourced) -> Iterator[Problem]:
    """Misspelt types of our own."""
    for index, on in enumerate(sourced.rule.events()):
        for glob in on.type:
            meant = _ours(glob)
            if meant is not None:
                expected = "one of " + ", ".join(OWN_TYPES)
                yield sourced.problem(("on", index), "no event has this type", glob, expected, did_you_mean(meant))


def _of_tombstones(sourced: Sourced, rule: CompiledRule) -> Iterator[Problem]:
    """Data, where the rule reads nothing that has any."""
    if set(rule.types) != {TOMBSTONE}:
        return
    for at, template, _ in templates(rule):
        for path in paths(template.source):
            if path.bare and path.parts[0] == "data" and len(path.parts) > 1:
                advice = "write event.subject: the record's key"
                yield sourced.problem(at, "a tombstone has no data", str(path), "event.subject", advice)


def _ours(glob: str) -> str | None:
    """The type of ours that was meant by one that is none."""
    if glob == TOMBSTONE.rpartition(".")[2]:
        return TOMBSTONE
    if glob in OWN_TYPES or not glob.startswith("calends.") or re.search(r"[*?\[]", glob):
        return None
    meant = nearest(glob, OWN_TYPES)
    return meant if meant is not None and glob.rpartition(".")[0] == meant.rpartition(".")[0] else None


def _never(sourced: Sourced, when: slots.Node) -> Iterator[Problem]:
    """A condition that is false whatever the event says."""
    if not isinstance(when, Template) or not when.whole:
        return
    message, expected = "this rule never applies", "a condition that an event can meet"
    if (both := _both(when.source)) is not None:
        found = f"{both} equals two values at once"
        yield sourced.problem(("when",), message, found, expected, f"write {both} in ['…', '…'], or join them with or")
    elif next(paths(when.source), None) is None:
        try:
            if when.render(Scope({})) is False:
                yield sourced.problem(("when",), message, when.source[:60], expected)
        except RenderError:
            return


def _both(source: str) -> str | None:
    """The path that would have to equal two different literals; only where nothing but `and` joins the terms."""
    words = tokens(pieces(source)[0][0].text)[0]
    if {("name", "or"), ("name", "not"), ("name", "if")} & set(words) or ("mark", "(") in words:
        return None
    equal: dict[str, Any] = {}
    for term in _terms(words):
        match term:
            case [*path, ("mark", "=="), ("text" | "number", _) as literal] if path:
                name, value = "".join(word for _, word in path), value_of([literal])
                if value is not UNKNOWN and value != equal.setdefault(name, value):
                    return name
    return None


def _terms(words: list[Word]) -> Iterator[list[Word]]:
    term: list[Word] = []
    for word in words:
        if word == ("name", "and"):
            yield term
            term = []
        else:
            term.append(word)
    yield term

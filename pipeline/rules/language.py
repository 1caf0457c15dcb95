"""What a template may say, judged before MiniJinja sees it: expressions and `if`, our roots, our filters, no calls.

MiniJinja as shipped calls any Python method it can reach (`data.pop('x')` changes the event) and repeats text
without a bound; both are refused here by their form.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.rules.idioms import foreign_idioms
from pipeline.rules.lexer import Word, tokens

ROOTS = ("event", "data", "omit", "item")
FILTERS = (
    "default", "money", "number", "date", "plus", "minus", "times", "in_zone", "upper", "lower", "trim", "replace",
    "join", "length", "round", "int", "float", "string", "bool",
)  # fmt: skip
TESTS = (
    "defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "true", "false", "in",
    "startingwith", "endingwith", "even", "odd",
)  # fmt: skip
SYNONYMS = {
    "strftime": "date('%d %B %Y')", "format_date": "date('%d %B %Y')", "dateformat": "date('%d %B %Y')",
    "d": "default", "count": "length", "tostring": "string", "currency": "money('EUR')", "add_days": "plus('1d')",
    "first": "[0] after the list", "last": "[-1] after the list", "truncate": "[:10] after the text",
    "title": "the text as it is, or upper", "capitalize": "the text as it is, or upper",
    "strip": "trim", "tojson": "one {{ … }} for each value", "upcase": "upper", "downcase": "lower",
    "tz": "in_zone('Europe/Berlin')", "timezone": "in_zone('Europe/Berlin')",
}  # fmt: skip
UNREAD = {
    "&": "write and", "!": "write not", "?": "write … if … else …, or | default('x')",
    "{": "write {{ and }} once, around the whole",
    "$": "write the name alone", "'": "close the quote", '"': "close the quote",
    **dict.fromkeys("“”„‘’‚`´«»", "write ' for the quote"),
}  # fmt: skip
"""The marks of other languages, and what to write."""
NO_MAP = "there are no maps here: write data.a.b if data.a is defined else 'x'"
CALLS = {
    "len": "length", "size": "length", "count": "length", "str": "string", "int": "int", "float": "float",
    "bool": "bool", "round": "round", "upper": "upper", "lower": "lower", "date": "date", "money": "money",
}  # fmt: skip
"""Functions of other languages → our filters."""
UNKNOWN_TESTS = {
    "null": "is none", "None": "is none", "nil": "is none", "empty": "| length == 0", "blank": "| length == 0",
    "startswith": "is startingwith('…')", "endswith": "is endingwith('…')", "equalto": "==",
}  # fmt: skip
"""Tests of other languages → ours."""
INSTEAD = {
    "for": "one entry of each item: each: in the send item; a list in a text: join", "elsif": "write elif",
    "elseif": "write elif",
    "end": "write endif", "fi": "write endif", "unless": "write if not", "set": "write the value where it is used",
}  # fmt: skip
"""Statements of other languages, and what is written here."""
STATEMENTS = ("if", "elif", "else", "endif")
MAX_SOURCE = 16 * 1024
MAX_TOKENS = 300
"""Of one expression: MiniJinja 3.0 overflows its stack, and ends the process, on a sum of some thousand terms."""
TRIMS = re.compile(r"\{[{%][-+]|[-+][%}]\}")
"""Marks that trim the text beside them."""
_TRIM = re.compile(r"\A[-+]|[-+]\Z")
"""The marks beside the braces that trim text; after a space a minus is a minus."""
_KEYWORDS = frozenset(("and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"))


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a template; `line` counts from 0 within the text."""

    line: int
    message: str
    found: str
    expected: str
    suggestion: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a template: `text`, `expression` or `statement`."""

    kind: str
    text: str
    line: int


def nearest(word: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """What may have been meant; None: nothing is near. `alike`: how near it must be at least, from 0 to 1."""
    names = {name.lower(): name for name in sorted(known, reverse=True)}
    return next((names[one] for one in difflib.get_close_matches(word.lower(), sorted(names), n=1, cutoff=alike)), None)


def did_you_mean(meant: str | None) -> str:
    """The question after a guess; empty where there is none."""
    return f"did you mean {meant}?" if meant else ""


def suggest(word: str, known: Iterable[str], mark: str = "") -> str:
    """A question with the nearest name, written with the mark before it that such names have."""
    meant = nearest(word, known)
    return did_you_mean(meant and mark + meant)


def pieces(source: str) -> tuple[list[Piece], Fault | None]:
    """Splits a template at its braces; a fault where braces do not close or are not allowed."""
    found: list[Piece] = []
    at = 0
    while (start := _next_brace(source, at)) >= 0:
        if start > at:
            found.append(Piece("text", source[at:start], source.count("\n", 0, at)))
        line = source.count("\n", 0, start)
        opening = source[start : start + 2]
        if opening == "{#":
            return found, Fault(line, "a comment inside a template", "{# … #}", "YAML comments, outside the text")
        closing = "}}" if opening == "{{" else "%}"
        end = _closing(source, start + 2, closing)
        if end < 0:
            advice = "close the quote too" if _closing(source, start + 2, closing, quotes="") >= 0 else ""
            return found, Fault(line, "a template does not close", opening, f"{opening} … {closing}", advice)
        kind = "expression" if opening == "{{" else "statement"
        found.append(Piece(kind, _TRIM.sub("", source[start + 2 : end]).strip(), line))
        at = end + 2
    if at < len(source):
        found.append(Piece("text", source[at:], source.count("\n", 0, at)))
    return found, None


def _next_brace(source: str, at: int) -> int:
    match = re.compile(r"\{[{%#]").search(source, at)
    return match.start() if match else -1


def _closing(source: str, at: int, closing: str, quotes: str = "\"'") -> int:
    quote = ""
    while at < len(source):
        char = source[at]
        if quote:
            at += char == "\\"
            quote = "" if char == quote else quote
        elif char in quotes:
            quote = char
        elif source.startswith(closing, at):
            return at
        at += 1
    return -1


def faults(source: str) -> list[Fault]:
    """All that this template may not say."""
    if len(source) > MAX_SOURCE:
        return [Fault(0, "a template is too long", f"{len(source)} characters", f"at most {MAX_SOURCE}")]
    parts, broken = pieces(source)
    found = [broken] if broken else []
    for piece in parts:
        if piece.kind == "statement":
            word, _, rest = piece.text.partition(" ")
            if word not in STATEMENTS:
                found.append(
                    Fault(
                        piece.line,
                        "a statement that rules do not have",
                        word,
                        "if, elif, else or endif",
                        _instead(word),
                    )
                )
            elif word == "else" and rest.strip().startswith("if "):
                found.append(Fault(piece.line, "a statement that rules do not have", "else if", "elif", "write elif"))
            elif rest.strip():
                found += _expression(rest, piece.line)
        elif piece.kind == "expression":
            found += _expression(piece.text, piece.line)
    return found


def _instead(word: str) -> str:
    return INSTEAD.get(word, "")


def _expression(text: str, line: int) -> list[Fault]:
    words, rest = tokens(text)
    if rest:
        advice = NO_MAP if rest[0] == "{" and rest[1:2] not in ("{", "%") else UNREAD.get(rest[0], "")
        return [Fault(line, "an expression cannot be read", rest[:1], "a MiniJinja expression", advice)]
    if len(words) > MAX_TOKENS:
        return [Fault(line, "an expression is too long", f"{len(words)} words", f"at most {MAX_TOKENS}")]
    if not words:
        return [Fault(line, "an empty expression", "{{ }}", "an expression such as data.number")]
    if idioms := [Fault(line, *idiom) for idiom in foreign_idioms(words)]:
        return idioms
    names = [previous[1] != "." and word[1] for previous, word in zip([("", ""), *words], words, strict=False)]
    if names.count("if") != names.count("else"):
        return [Fault(line, "an if without its else", "if", "… if … else …", "say omit for nothing")]
    padded = [("", ""), ("", ""), *words, ("", "")]
    triples = zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    found = (_token(before[1], previous, word, after[1], line) for before, previous, word, after in triples)
    return [fault for fault in (*found, *_equals(words, line)) if fault]


def _equals(words: list[Word], line: int) -> Iterator[Fault]:
    """A single = that gives no argument its name."""
    for at, word in enumerate(words):
        named = at > 1 and words[at - 1][0] == "name" and words[at - 2][1] in ("(", ",")
        if word == ("mark", "=") and not named:
            yield Fault(line, "= compares nothing", "=", "==", "write ==")


def _token(before: str, previous: Word, token: Word, after: str, line: int) -> Fault | None:
    kind, word = token
    if kind == "mark":
        return _mark(before, previous, word, line)
    if kind != "name":
        return None
    if previous[0] == "number" and word not in _KEYWORDS:
        told = previous[1] + word
        return Fault(line, "a text without quotes", told, "a value or a filter", f"write '{told}'")
    if previous[1] == "." and previous[0] == "mark":
        return Fault(line, "a private name", word, "a field of the event") if word.startswith("_") else None
    if previous == ("mark", "|"):
        return None if before == "|" else _unknown(line, "an unknown filter", word, FILTERS)
    if previous == ("name", "is") or (previous == ("name", "not") and before == "is"):
        return None if word == "not" else _unknown(line, "an unknown test", word, TESTS)
    if word in _KEYWORDS or (after == "=" and previous[1] in ("(", ",")):
        return None
    if after == "(" and word in CALLS:
        return Fault(line, "a call", f"{word}(", "a value or a filter", f"write … | {CALLS[word]}")
    return _unknown(line, "an unknown root", word, ROOTS)


def _unknown(line: int, message: str, word: str, known: tuple[str, ...]) -> Fault | None:
    if word in known:
        return None
    return Fault(line, message, word, "one of " + ", ".join(known), _advice(message, word) or suggest(word, known))


def _advice(message: str, word: str) -> str:
    """What other languages call what we have, or do without."""
    if message == "an unknown filter" and (ours := SYNONYMS.get(word)):
        return f"write {ours}"
    if message == "an unknown test" and (ours := UNKNOWN_TESTS.get(word)):
        return f"write {ours}"
    if message == "an unknown root":
        if word in ("null", "nil", "undefined", "None"):
            return "nothing is called none"
        if word in ("now", "today", "utcnow"):
            return "there is no clock: take event.time, or a time of the data"
        if word in ("env", "environ", "os"):
            return "there is no environment: what differs by place belongs in the settings"
        if word in ("startswith", "endswith"):
            return f"write … is {word.removesuffix('swith')}ingwith('…')"
        if word == "contains":
            return "write '…' in …"
        if word in ("payload", "body", "value", "message", "msg"):
            return "the content of an event is data"
        return suggest(word, ROOTS) or f"write '{word}' for a text, data.{word} for a field"
    return ""


def _mark(before: str, previous: Word, mark: str, line: int) -> Fault | None:
    if mark == "|" and previous == ("mark", "|"):
        return Fault(line, "an expression cannot be read", "||", "or", "write or")
    if mark == "~":
        return Fault(line, "~ would print null as text", "~", "the parts one after the other, each in its own {{ }}")
    if mark in ("*", "**"):
        return Fault(line, f"{mark} has no bound", mark, "a filter", "write | times(60)")
    if mark != "(":
        return None
    kind, word = previous
    if kind == "name" and (before in ("|", "is") or (before == "not" and word in TESTS)):
        return None
    if kind == "name" and word in CALLS and before != ".":
        return None  # told as the name that it is
    if kind == "text" or previous in (("mark", ")"), ("mark", "]")) or (kind == "name" and not _opens(before, word)):
        return Fault(line, "a call", f"{word}(", "a value or a filter", "fields have no methods; use a filter")
    return None


def _opens(before: str, word: str) -> bool:
    """Whether a bracket after this word groups: `not (…)`, `a and (…)`; `data.not(…)` would be a call."""
    return before != "." and word in ("and", "or", "not", "in", "if", "else")

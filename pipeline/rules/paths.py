"""What templates name of an event, and whether its schema has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from pipeline.rules.compiled import CompiledRule
from pipeline.rules.kinds import OF_SCHEMA
from pipeline.rules.language import ROOTS, Piece, did_you_mean, nearest, pieces
from pipeline.rules.lexer import Word, tokens
from pipeline.rules.problem import Problem, Where
from pipeline.rules.render import Template
from pipeline.rules.schema import Sourced

PRINTS = {"string", "integer"}
_ANY = frozenset(OF_SCHEMA)
_TEXT, _FLAG, _LIST = frozenset(("string",)), frozenset(("boolean",)), frozenset(("array",))
_NAME = frozenset(("string", "integer", "number"))
"""A number may turn out to be whole."""
_OF_ENTRY: dict[str, frozenset[str]] = {
    **dict.fromkeys(("all_day", "busy"), _FLAG),
    **dict.fromkeys(("alerts", "links", "participants", "dates"), _LIST),
    **dict.fromkeys(("title", "description", "location", "start", "end", "time_zone", "end_time_zone"), _TEXT),
    **dict.fromkeys(("status", "collection", "recurrence"), _TEXT),
}
_NUMBER = frozenset(("integer", "number"))
TAKES: dict[str, frozenset[str]] = {
    **dict.fromkeys(("date", "plus", "minus", "in_zone", "upper", "lower", "trim", "replace"), _TEXT),
    **dict.fromkeys(("money", "number", "round", "int", "float"), _NUMBER | _TEXT),
    "times": _NUMBER, "join": _LIST, "length": _TEXT | _LIST | {"object"}, "bool": _FLAG | _TEXT, "string": _NAME,
}  # fmt: skip
"""JSON's types that each filter can take; a text may hold a number."""
_OF_RULE: dict[str, frozenset[str]] = {
    "when": _FLAG, "each": _LIST, "deliver_at": _TEXT, "expires_at": _TEXT,
    **dict.fromkeys(("key", "group", "subscriber", "identity", "sequence"), _NAME),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Path:
    """`data.customer.id` → (data, customer, id). `bare`: it is the whole expression."""

    parts: tuple[str | int, ...]
    bare: bool
    filter: str = ""
    """The filter that takes it."""
    asked: bool = False
    """A condition around it, or its own expression, names it too: it may say what is done where it is null."""

    def __str__(self) -> str:
        return ".".join(map(str, self.parts))


def paths(source: str) -> Iterator[Path]:
    """All that a template names."""
    blocks: list[list[Path]] = []
    for piece in pieces(source)[0]:
        if piece.kind == "text":
            continue
        words = tokens(piece.text)[0]
        found = [_path(words, at) for at, word in enumerate(words) if _begins(words, at, word)]
        named = [path.parts for path in (*chain(*blocks), *found)]
        yield from (replace(path, asked=named.count(path.parts) > 1) for path in found)
        _into_blocks(blocks, piece, found)


def _into_blocks(blocks: list[list[Path]], piece: Piece, found: list[Path]) -> None:
    """What the conditions name that are around what follows; an else is also after all those before it."""
    match piece.text.split(maxsplit=1)[:1] if piece.kind == "statement" else ():
        case ["if"]:
            blocks.append(found)
        case ["elif"] if blocks:
            blocks[-1] = blocks[-1] + found
        case ["endif"] if blocks:
            blocks.pop()


def _begins(words: list[Word], at: int, word: Word) -> bool:
    before = words[at - 1] if at else ("", "")
    return word[0] == "name" and word[1] in ROOTS and before not in (("mark", "."), ("mark", "|"))


def _path(words: list[Word], at: int) -> Path:
    parts: list[str | int] = [words[at][1]]
    end = at + 1
    while end + 1 < len(words):
        mark, (kind, word) = words[end], words[end + 1]
        if kind == "number" and not (word.isdecimal() and len(word) < 10):
            break
        if mark == ("mark", ".") and kind in ("name", "number"):
            parts.append(word if kind == "name" else int(word))
            end += 2
        elif mark == ("mark", "[") and kind in ("text", "number") and words[end + 2 : end + 3] == [("mark", "]")]:
            parts.append(word[1:-1] if kind == "text" else int(word))
            end += 3
        else:
            break
    piped = words[end : end + 1] == [("mark", "|")] and end + 1 < len(words)
    return Path(tuple(parts), at == 0 and end == len(words), words[end + 1][1] if piped else "")


def problems_of_paths(sourced: Sourced, rule: CompiledRule) -> Iterator[Problem]:
    """Each path that a rule's schema does not know; and `item` where there is none."""
    asked = {path.parts for path in paths(rule.when.source)} if isinstance(rule.when, Template) else set()
    for at, template, each in templates(rule):
        for path in paths(template.source):
            if path.parts[0] == "item" and each is None and not _says_each(sourced, at):
                expected = "data, or event"
                yield sourced.problem(at, "item is known only where the send item says each", "item", expected)
            of_data = from_data(path, each)
            asked_of = path.asked or (at != ("when",) and of_data.parts in asked)
            yield from _unknown(sourced, rule, at, template, replace(of_data, asked=asked_of))


def _says_each(sourced: Sourced, at: Where) -> bool:
    """Whether each stands there, be it wrong."""
    if at[0] != "send":
        return False
    return sourced.took(*at[:2], "each") or sourced.rule.send[int(at[1])].each is not None


def from_data(path: Path, each: Template | None) -> Path:
    """The path of an item's field in the data; of no root where it is not known."""
    if path.parts[0] != "item" or each is None:
        return path
    through = next(paths(each.source), None)
    whole = through is not None and through.bare
    return (
        Path((*through.parts, 0, *path.parts[1:]), path.bare, path.filter) if through and whole else Path(("",), False)
    )


def _unknown(sourced: Sourced, rule: CompiledRule, at: Where, template: Template, path: Path) -> Iterator[Problem]:
    if path.parts[0] != "data":
        return
    for kind, schema in zip(rule.types, rule.schemas, strict=True):
        if schema is None:
            continue
        found = schema.lookup(path.parts[1:])
        if found.unknown is not None:
            word, known = str(path.parts[found.unknown + 1]), sorted(found.known)
            meant = nearest(word, known)
            before = ".".join(map(str, path.parts[: found.unknown + 1]))
            advice = did_you_mean(meant and f"{before}.{meant}")
            expected = "one of " + ", ".join(known) if known else "nothing deeper"
            yield sourced.problem(at, f"the schema of {kind} does not have it", str(path), expected, advice)
        elif template.whole and path.bare and found.types - {"null"} and found.types.isdisjoint(wanted(at)):
            told = " or ".join(sorted(found.types))
            expected = " or ".join(sorted(wanted(at)))
            advice = f"write {{{{ {path} | bool }}}}" if "boolean" in wanted(at) and "string" in found.types else ""
            yield sourced.problem(at, f"{path} is not of the type of {at[-1]}", told, expected, advice)
        elif path.filter in TAKES and found.types - {"null"} and found.types.isdisjoint(TAKES[path.filter]):
            told, expected = " or ".join(sorted(found.types)), " or ".join(sorted(TAKES[path.filter]))
            yield sourced.problem(at, f"{path.filter} cannot take {path}", told, expected)
        elif not template.whole and path.bare and found.types and not found.types & PRINTS:
            told = " or ".join(sorted(found.types))
            advice = "use money, number or date, or make the value a whole {{ … }}"
            yield sourced.problem(at, f"{path} does not print inside a text", told, "a text or an integer", advice)
        elif not path.asked and "null" in found.types and (message := _of_null(template, path)):
            advice = f"write {{% if {path} is not none %}}, or keep null out of the schema"
            yield sourced.problem(at, message, "null", "a value", advice)


def _of_null(template: Template, path: Path) -> str:
    """What fails where a path is null; empty: nothing."""
    if path.filter in TAKES:
        return f"{path} may be null, which {path.filter} cannot take"
    return f"{path} may be null, which does not print" if path.bare and not template.whole else ""


def wanted(at: Where) -> frozenset[str]:
    """JSON's types that this place takes of a whole template."""
    within = at[-2] if len(at) > 1 else ""
    known = _OF_ENTRY if within == "entry" else _OF_RULE if len(at) == 1 or isinstance(within, int) else {}
    return known.get(str(at[-1]), _ANY)


def templates(rule: CompiledRule) -> Iterator[tuple[Where, Template, Template | None]]:
    """Each template with its place, and the list that its `item` is of."""
    for name, node in (("when", rule.when), ("sequence", rule.sequence)):
        yield from ((at, template, None) for at, template in _of(node, (name,)))
    for index, link in enumerate(rule.links):
        for name in ("subscriber", "identity", "ended"):
            yield from ((at, template, None) for at, template in _of(getattr(link, name), ("link", index, name)))
    for index, send in enumerate(rule.sends):
        place: Where = ("send", index)
        outer = {"each": send.each, "group": send.group}
        inner: dict[str, Any] = {
            name: getattr(send, name) for name in ("key", "subscriber", "identity", "deliver_at", "expires_at")
        }
        each = send.each if isinstance(send.each, Template) else None
        yield from ((at, template, None) for at, template in _of(outer, place))
        yield from ((at, template, each) for at, template in _of({**inner, "entry": send.entry, **send.own}, place))


def _of(node: Any, at: Where) -> Iterator[tuple[Where, Template]]:
    if isinstance(node, Template):
        yield at, node
    elif isinstance(node, Mapping):
        for name, member in node.items():
            yield from _of(member, (*at, name))
    elif isinstance(node, list):
        for index, member in enumerate(node):
            yield from _of(member, (*at, index))

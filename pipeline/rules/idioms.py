"""Turns of phrase of other languages in an expression, and what is written here instead. Pure, over the words alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.rules.lexer import END, Word

Idiom = tuple[str, str, str, str]
"""What is wrong, what was found, what was expected, what to write."""
COMPARISONS = frozenset(("==", "!=", "<", "<=", ">", ">="))
NEEDY = ("startingwith", "endingwith")
"""Tests that compare with a text."""
FLAGS = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
"""What other formats write for true and false, as YAML 1.2 does."""
NAMES = frozenset(("event", "data", "item", "omit", "not", "true", "false", "none", "True", "False", "None"))
"""What may stand after a minus."""
_JOINS = frozenset(("and", "or", "not", "if", "else"))
_BINDING = _JOINS | {"in", "is", "AND", "OR", "NOT", "contains", "startswith", "endswith"}
"""What follows a name and belongs to no name, here or in other languages."""


def foreign_idioms(words: Sequence[Word]) -> Iterator[Idiom]:
    """All of them, in their order, and comparisons of a comparison."""
    padded = [END, *words, END, END]
    for before, word, after, next_one in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        found = _idiom(before, word, after, next_one) or _unwritten(before, word, after, next_one)
        if found is not None:
            yield found
    yield from _commas(words)
    if _chained(words):
        advice = "write a < b and b < c"
        yield "a comparison of a comparison", "a < b < c", "two comparisons with and between them", advice


def _idiom(before: Word, word: Word, after: Word, next_one: Word) -> Idiom | None:
    message = "an expression cannot be read"
    match word, after:
        case ("mark", "<"), ("mark", ">"):
            return message, "<>", "!=", "write !="
        case ("mark", "="), ("mark", ("<" | ">") as mark):
            return message, f"={mark}", f"{mark}=", f"write {mark}="
        case ("mark", "-"), ("mark", ">"):
            return message, "->", "a dot", f"write {before[1]}.{next_one[1]}"
        case ("mark", "-"), ("name", name) if before[0] == "name" and name not in NAMES:
            advice = f"write ['{before[1]}-{name}'] for a name with a -"
            return message, f"{before[1]}-{name}", "names of letters, digits and _", advice
        case ("name", ("AND" | "OR" | "NOT") as loud), _ if before[1] != ".":
            return message, loud, loud.lower(), f"write {loud.lower()}"
        case ("mark", "|"), ("name", name) if next_one[0] in ("text", "number") or next_one == ("mark", ":"):
            value = next_one[1] if next_one[0] != "mark" else "…"
            return "an argument without brackets", f"{name} {next_one[1]}", "a filter", f"write {name}({value})"
        case ("name", "is" | "not"), ("name", name) if name in NEEDY and not _begins_value(next_one):
            return "a test without its text", name, "a text to compare with", f"write is {name}('…')"
        case _:
            return None


def _unwritten(before: Word, word: Word, after: Word, next_one: Word) -> Idiom | None:
    """Marks that were left out."""
    match word, after:
        case ("name", area), ("mark", "/") if before == ("mark", "(") and next_one[0] == "name":
            return "a text without quotes", f"{area}/{next_one[1]}", "a text", f"write '{area}/{next_one[1]}'"
        case ("mark", "%"), ("name", code) if before == ("mark", "("):
            return "a text without quotes", f"%{code}…", "a text", "write date('%d.%m.%Y')"
        case ("name", "is"), ("text", text):
            return "a comparison with is", f"is {text}", "==", f"write == {text}"
        case ("name", "not"), ("text", text) if before[0] == "name" and before[1] not in _JOINS:
            return "a comparison with not", f"not {text}", "!=", f"write != {text}"
        case ("name", name), ("name", rest) if before == ("mark", ".") and rest not in _BINDING:
            return "a name with a space", f"{name} {rest}", "names of letters, digits and _", f"write ['{name} {rest}']"
        case ("number", year), ("mark", "-") if len(year) == 4 and next_one[0] == "number" and before != ("mark", "-"):
            return "a date without quotes", f"{year}-{next_one[1]}", "a text", "write it as '2026-12-24'"
        case _:
            return None


def _commas(words: Sequence[Word]) -> Iterator[Idiom]:
    """Those that stand in no brackets."""
    depth = 0
    for before, (kind, word), after in zip([END, *words], words, [*words[1:], END], strict=False):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(word, 0) if kind == "mark" else 0
        if (kind, word) == ("mark", ",") and not depth:
            thousands = before[1].isdigit() and after[1].isdigit() and len(after[1]) == 3
            number = f"write {before[1]}{after[1]}" if thousands else "write a dot for the decimals"
            advice = number if before[0] == "number" else "write in ['…', '…']"
            yield "a comma in no list", f"{before[1]},{after[1]}", "one value", advice


def _begins_value(word: Word) -> bool:
    return word[0] in ("text", "number") or word == ("mark", "(") or (word[0] == "name" and word[1] not in _JOINS)


def _chained(words: Sequence[Word]) -> bool:
    """Whether what a comparison yields, true or false, is compared again: 0 < a < 5 is no range."""
    compared = [False]
    for kind, word in words:
        if kind == "mark" and word in ("(", "["):
            compared.append(False)
        elif kind == "mark" and word in (")", "]"):
            compared = compared[:-1] or [False]
        elif word in _JOINS or (kind == "mark" and word == ","):
            compared[-1] = False
        elif kind == "mark" and word in COMPARISONS:
            if compared[-1]:
                return True
            compared[-1] = True
    return False

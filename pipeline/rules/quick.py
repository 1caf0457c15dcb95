"""Templates of the common forms as Python functions: paths, filters, comparisons, `and`, `or`, `not`.

A function gives what MiniJinja gives, or raises Slow where anything is out of the ordinary (a missing field,
a filter that refuses, types that do not compare): MiniJinja then has its say.
So there is one meaning, and one wording of failures.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from pipeline.rules.filters import OURS
from pipeline.rules.language import pieces
from pipeline.rules.lexer import Cursor, Word, tokens

Scope = Any
Run = Callable[[Scope], Any]
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
MAX_PIECES = 100
"""More than that is MiniJinja's, which counts what a template does."""
EXACT = 1 << 53
"""Below it integers and floating-point numbers compare alike everywhere."""


class Slow(Exception):
    """Let MiniJinja do it."""


class _Other(Exception):
    """A form that is not among the common ones."""


def quick_value(expression: str, omit: Any) -> Run | None:
    """The function of one expression."""
    words, rest = tokens(expression)
    try:
        return None if rest else _Parser(words, omit).whole()
    except _Other:
        return None


def quick_text(source: str) -> Run | None:
    """The function of a text with expressions in it."""
    if any(mark in source for mark in ("{%", "{{-", "-}}", "{{+", "+}}", "{#")):
        return None
    if "\r" in source:
        return None
    found = pieces(source)[0]
    if len(found) > MAX_PIECES:
        return None
    parts = [piece.text if piece.kind == "text" else quick_value(piece.text, None) for piece in found]
    return None if None in parts else _joined(parts)


def _joined(parts: list[Any]) -> Run:
    runs = [part for part in parts if not isinstance(part, str)]
    if len(runs) == 1:
        at = parts.index(runs[0])
        return _around("".join(parts[:at]), runs[0], "".join(parts[at + 1 :]))
    form = "".join(part.replace("%", "%%") if isinstance(part, str) else "%s" for part in parts)

    def run(scope: Scope) -> str:
        values = []
        for part in runs:
            value = part(scope)
            if value.__class__ is not str and value.__class__ is not int:
                raise Slow
            values.append(value)
        return form % tuple(values)

    return run


def _around(before: str, part: Run, after: str) -> Run:
    """A text with one expression, as most are: it needs no list of values."""

    def run(scope: Scope) -> str:
        value = part(scope)
        if value.__class__ is not str and value.__class__ is not int:
            raise Slow
        return f"{before}{value}{after}"

    return run


class _Parser(Cursor):
    """Recursive descent over the words of an expression; `or` binds least."""

    def __init__(self, words: list[Word], omit: Any) -> None:
        super().__init__(words)
        self._omit = omit

    def whole(self) -> Run:
        run = self._or()
        if self._at < len(self._words):
            raise _Other
        return run

    def _or(self) -> Run:
        run = self._and()
        while self._takes(("name", "or")):
            run = _either(run, self._and())
        return run

    def _and(self) -> Run:
        run = self._not()
        while self._takes(("name", "and")):
            run = _both(run, self._not())
        return run

    def _not(self) -> Run:
        return _negated(self._not()) if self._takes(("name", "not")) else self._compared()

    def _compared(self) -> Run:
        run = self._filtered()
        if (mark := self._takes(*(("mark", name) for name in COMPARISONS))) is not None:
            run = _comparison(COMPARISONS[mark[1]], run, self._filtered())
            if self._next() in [("mark", name) for name in COMPARISONS]:
                raise _Other
        return run

    def _filtered(self) -> Run:
        begun = self._at
        run = self._primary()
        end = self._at
        while self._takes(("mark", "|")):
            kind, name = self._next()
            self._at += 1
            arguments = self._arguments()
            if (kind, name) == ("name", "default") and len(arguments) == 1 and self._at and end - begun >= 3:
                run = self._default(begun, end, arguments[0])
            elif kind == "name" and name in OURS:
                run = _filter(OURS[name], run, arguments)
            else:
                raise _Other
            end = begun  # only a path itself may be missing
        return run

    def _default(self, begun: int, end: int, instead: Run) -> Run:
        words = self._words[begun:end]
        if words[0][1] not in ("data", "event", "item") or any(word[0] != "name" for word in words[::2]):
            raise _Other
        names = [word[1] for word in words[2::2]]
        holder, last = _path(words[0][1], names[:-1]), names[-1]

        def run(scope: Scope) -> Any:
            held = holder(scope)
            if held.__class__ is not dict:
                raise Slow
            return held[last] if last in held else instead(scope)

        return run

    def _arguments(self) -> list[Run]:
        found: list[Run] = []
        if not self._takes(("mark", "(")):
            return found
        while not self._takes(("mark", ")")):
            found.append(self._primary())
            if self._next() not in (("mark", ","), ("mark", ")")):
                raise _Other
            self._takes(("mark", ","))
        return found

    def _primary(self) -> Run:
        kind, word = self._next()
        self._at += 1
        match kind:
            case "text" if "\\" not in word:
                return _constant(word[1:-1])
            case "number" if word.isdigit() and len(word) < 16:
                return _constant(int(word))
            case "name" if word in ("true", "false"):
                return _constant(word == "true")
            case "name" if word in ("data", "event", "item"):
                return self._path(word)
            case "name" if word == "omit" and self._omit is not None:
                return _constant(self._omit)
            case "mark" if word == "(":
                run = self._or()
                if not self._takes(("mark", ")")):
                    raise _Other
                return run
            case _:
                raise _Other

    def _path(self, root: str) -> Run:
        names: list[str] = []
        while self._takes(("mark", ".")):
            kind, name = self._next()
            self._at += 1
            if kind != "name":
                raise _Other
            names.append(name)
        if self._next() in (("mark", "["), ("mark", "(")):
            raise _Other
        return _path(root, names)


def _constant(value: Any) -> Run:
    return lambda scope: value


def _path(root: str, names: list[str]) -> Run:
    if len(names) == 1:
        (only,) = names

        def run_one(scope: Scope) -> Any:
            try:
                return scope.roots[root][only]
            except (KeyError, TypeError, IndexError):
                raise Slow from None

        return run_one

    def run(scope: Scope) -> Any:
        try:
            value = scope.roots[root]
            for name in names:
                value = value[name]
        except (KeyError, TypeError, IndexError):
            raise Slow from None
        return value

    return run


def _filter(ours: Callable[..., Any], value: Run, arguments: list[Run]) -> Run:
    first = arguments[0] if len(arguments) == 1 else None

    def run(scope: Scope) -> Any:
        try:
            if first is not None:  # as most have
                return ours(value(scope), first(scope))
            return ours(value(scope), *[one(scope) for one in arguments])
        except (ValueError, TypeError, ArithmeticError):
            raise Slow from None

    return run


def _comparison(compare: Callable[[Any, Any], bool], left: Run, right: Run) -> Run:
    def run(scope: Scope) -> bool:
        a, b = left(scope), right(scope)
        if (a.__class__ is str and b.__class__ is str) or (_plain(a) and _plain(b)):
            return compare(a, b)
        raise Slow

    return run


def _plain(number: Any) -> bool:
    """A number that compares as in MiniJinja."""
    return (number.__class__ is int or number.__class__ is float) and -EXACT < number < EXACT


def _both(left: Run, right: Run) -> Run:
    return lambda scope: _bool(left(scope)) and _bool(right(scope))


def _either(left: Run, right: Run) -> Run:
    return lambda scope: _bool(left(scope)) or _bool(right(scope))


def _negated(run: Run) -> Run:
    return lambda scope: not _bool(run(scope))


def _bool(value: Any) -> bool:
    if value.__class__ is not bool:
        raise Slow
    return bool(value)

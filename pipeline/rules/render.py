"""Templates: MiniJinja on our terms. A template yields a typed value or text; it changes and calls nothing.

Failures carry a code and words that never quote the event.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite
from typing import Any

from minijinja import Environment, TemplateError

from pipeline.model.event import DomainEvent
from pipeline.model.when import BadTime
from pipeline.rules.comparing import CALL, Unordered, in_order, with_calls
from pipeline.rules.filters import MAX_TEXT, OURS, FilterError, kind
from pipeline.rules.language import Fault, faults, pieces
from pipeline.rules.quick import Run, Slow, quick_text, quick_value
from pipeline.rules.views import unwrap, view

FUEL = 3_000


ENDED = {
    "end of variable block, expected identifier": "write what follows the last word",
    "unexpected end of variable block": "write what follows the last word",
    "unexpected end of input": "close each {% if … %} with {% endif %}",
}
"""MiniJinja's words for what ends too early → what to do."""


class Omit:
    """The value of `omit`: nothing is said of the field."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "omit"


OMIT = Omit()


class RenderError(Exception):
    """A template has no value for this event: `code` is one of `missing`, `type`, `limit`, `format`, `template`."""

    def __init__(self, code: str, explanation: str) -> None:
        super().__init__(explanation)
        self.code = code
        self.explanation = explanation


class Missing(RenderError):
    """The event lacks what this template names."""

    def __init__(self, source: str, roots: Mapping[str, Any]) -> None:
        super().__init__("missing", "a field that the template names is missing from the event")
        self.source, self.roots = source, roots


class TemplateFault(Exception):
    """A template that no event could render."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.message}: {fault.found}")
        self.fault = fault


_seen = threading.local()


def _keep(value: Any) -> str:
    """The finalizer of value templates: keeps the one value as it is (`eval_expr` turns missing into null)."""
    _seen.values.append(value)
    return ""


def _print(value: Any) -> Any:
    """The finalizer of text templates: only texts and integers print."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        what = "omit" if value is OMIT else kind(value)
        raise FilterError(f"{what} does not print inside a text; use money, number, default or a whole {{{{ … }}}}")
    return str(value)


def _environment(finalizer: Any) -> Environment:
    env = Environment(
        debug=False, undefined_behavior="strict", fuel=FUEL, pycompat=False, finalizer=finalizer,
        auto_escape_callback=lambda name: False, keep_trailing_newline=True,
    )  # fmt: skip
    for name in list(env.globals):
        env.remove_global(name)
    for name, ours in OURS.items():
        env.add_filter(name, ours)
    env.add_global(CALL, in_order)
    return env


_VALUES = _environment(_keep)
_TEXTS = _environment(_print)


class Scope:
    """What templates may name: `event` and `data`, and inside `each` the `item`."""

    __slots__ = ("_views", "known", "roots")

    def __init__(self, roots: Mapping[str, Any]) -> None:
        self.roots = roots
        self._views: dict[str, Any] | None = None
        self.known: dict[Template, Any] = {}
        """Rules of one type say much the same."""

    @classmethod
    def over(cls, event: DomainEvent) -> Scope:
        return cls({"event": event.attributes, "data": event.data})

    def within(self, item: Any) -> Scope:
        return Scope({**self.roots, "item": item})

    def views(self) -> dict[str, Any]:
        """As MiniJinja may see them."""
        if self._views is None:
            self._views = {"omit": OMIT, **{name: view(value) for name, value in self.roots.items()}}
        return self._views


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A scalar of a rule: whole (exactly one `{{ … }}`: typed) or text. `source` is what MiniJinja renders."""

    source: str
    whole: bool

    _quick: Run | None = field(default=None, repr=False)

    def render(self, scope: Scope) -> Any:
        """The value. Raises RenderError."""
        known = scope.known
        if self in known:
            return known[self]
        if self._quick is not None:
            try:
                value = self._quick(scope)
                if value.__class__ is not str or len(value) > MAX_TEXT or "\0" in value:
                    value = _sound(value)
                known[self] = value
                return value
            except (Slow, RenderError):
                pass  # MiniJinja has the words for it
        value = known[self] = self._slow(scope)
        return value

    def _slow(self, scope: Scope) -> Any:
        if not self.whole:
            return self._ordered(_TEXTS, scope)
        _seen.values = []
        self._ordered(_VALUES, scope)
        if not _seen.values:
            raise RenderError("missing", "the expression has no value")
        return _sound(unwrap(_seen.values.pop()))

    def _ordered(self, env: Environment, scope: Scope) -> str:
        try:
            return self._run(env, with_calls(self.source), scope)
        except Unordered as error:
            self._run(env, self.source, scope)  # a call sees null for what is missing: that is told as it is
            raise RenderError("type", str(error)) from None

    def _run(self, env: Environment, source: str, scope: Scope) -> str:
        try:
            text: str = env.render_str(source, **scope.views())
        except TemplateError as error:
            if error.kind == "UndefinedError":
                raise Missing(self.source, scope.roots) from None
            raise _explained(error) from None
        except (FilterError, BadTime) as error:
            raise RenderError("type" if isinstance(error, FilterError) else "format", str(error)) from None
        except (TypeError, ValueError, ArithmeticError):
            raise RenderError("type", "a filter was given what it cannot take") from None
        return _bounded(text)


def _sound(value: Any) -> Any:
    if value.__class__ is str:
        return value if len(value) <= MAX_TEXT and "\0" not in value else _bounded(value)
    if isinstance(value, float) and not isfinite(value):
        raise RenderError("limit", "a number is too large")
    return value


def _bounded(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise RenderError("limit", "a text is larger than 64 KiB")
    if "\0" in text:
        raise RenderError("format", "a text holds U+0000")
    return text


@lru_cache(4096)
def compile_template(source: str) -> Template | str:
    """The template of a scalar, or the text itself where it has no braces. Raises `TemplateFault`."""
    if "{{" not in source and "{%" not in source and "{#" not in source:
        return source
    for fault in faults(source):
        raise TemplateFault(fault)
    parts, _ = pieces(source.strip())
    whole = len(parts) == 1 and parts[0].kind == "expression"
    try:
        source.encode()
        _TEXTS.add_template("check", source)
    except UnicodeEncodeError:
        raise TemplateFault(Fault(0, "a template error", "a lone surrogate", "a text in Unicode")) from None
    except TemplateError as error:
        line = (error.line or 1) - 1
        found = _words(error) if error.kind == "SyntaxError" else error.kind
        advice = next((advice for words, advice in ENDED.items() if words in found), "")
        raise TemplateFault(Fault(line, "a template error", found, "a MiniJinja expression", advice)) from None
    quick = quick_value(parts[0].text, OMIT) if whole else quick_text(source)
    return Template(source.strip() if whole else source, whole, quick)


def _explained(error: TemplateError) -> RenderError:
    """MiniJinja's words by kind alone: its details may quote values."""
    match error.kind:
        case "OutOfFuel":
            return RenderError("limit", "the template does too much")
        case "InvalidOperation":
            return RenderError("type", "an operation does not fit the types of its values")
        case _:
            return RenderError("template", f"the template failed ({error.kind})")


def _words(error: TemplateError) -> str:
    return str(error.message).removeprefix("syntax error: ").partition(" (in ")[0]

"""YAML text to values with their line numbers, within limits: whatever a file holds, it is read or told at its line.

Nothing that a value says gets into the words of a fault: a secret may stand where none belongs.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.constructor import ConstructorError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionStartEvent, ScalarEvent
from ruamel.yaml.nodes import MappingNode
from ruamel.yaml.reader import ReaderError

from pipeline.rules.language import suggest
from pipeline.rules.problem import Problem

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_VALUES = 100_000
"""An alias counts as all that it names: ten lines of aliases can name a billion values."""
MAX_INTEGER = 1 << 64
_TEXT = "tag:yaml.org,2002:str"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
TOO_DEEP = "a key that is indented too far"
_QUOTES = "close each quote where its text ends; a text that holds one has the other around it"
FAULTS = {
    "'\\t' that cannot start": ("a tab", "indent with spaces: YAML takes no tabs"),
    "that cannot start any token": ("a mark that cannot begin a text", "put quotes around the text"),
    "mapping values are not allowed": ("a colon inside a text", "put quotes around a text that holds a colon"),
    "an undefined alias": ("", "put quotes around a text that begins with *"),
    "a map as a key": ("", 'put quotes around it: "{{ … }}"'),
    "but found '<scalar>'": ("a text where a key should begin", _QUOTES),
    "expected <block end>": (
        "another column than that of what stands before it",
        "let what belongs together begin in one column, indented with spaces",
    ),
    "could not find expected ':'": ("a key without its colon", "write key: value, or put quotes around the text"),
    "duplicate key": ("", "say it once"),
    "expected ',' or '}', but got ':'": (
        "a colon where , or } should stand",
        "put quotes around a text that holds a colon, or close the { before it",
    ),
    "expected ',' or ']', but got ':'": ("a colon where , or ] should stand", "close the [ before it"),
    "expected ',' or": ("a value where a comma should stand", "put a comma between two values, or close the bracket"),
    "another document": ("a second document", "take out the ---: a file is one document"),
    "a quote that does not close": ("", "put the same quote at the end of its text"),
    "a bracket that does not close": ("", "put ] or } at its end"),
    TOO_DEEP: ("", "let it begin in the column of the keys that it belongs beside"),
}
"""The library's words, or our own → what they mean, where they do not say it, and what to do. The first that fits."""


class NotYaml(Exception):
    """No YAML, or more of it than is read. `line` and `column` count from 1; column 0: not known."""

    def __init__(self, line: int, found: str, expected: str = "YAML 1.2", column: int = 0, advice: str = "") -> None:
        super().__init__(found)
        self.line = line
        self.column = column
        self.found = found
        self.expected = expected
        self.advice = advice

    def problem(self, file: str, message: str) -> Problem:
        """The same as a problem of a file."""
        return Problem(file, self.line, message, self.found, self.expected, self.advice, self.column)


def read_file(file: Path) -> str:
    """The text of a file. Raises NotYaml."""
    try:
        with file.open("rb") as opened:
            found = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise NotYaml(1, error.strerror or "", "a YAML file that can be read") from None
    except ValueError:  # a name with U+0000
        raise NotYaml(1, "", "a YAML file that can be read") from None
    if len(found) > MAX_BYTES:
        raise NotYaml(1, "more than 1 MiB", "at most 1 MiB: several files may hold the rules")
    try:
        return found.decode()
    except UnicodeDecodeError as error:
        raise NotYaml(found.count(b"\n", 0, error.start) + 1, "bytes", "text in UTF-8") from None


def load_yaml(text: str) -> Any:
    """The text's YAML with its line numbers. Raises NotYaml."""
    reader = YAML(typ="rt")
    reader.Composer = _Composer
    reader.Constructor = _Constructor
    try:
        return reader.load(text)
    except ReaderError as error:
        line, column = text.count("\n", 0, error.position) + 1, error.position - text.rfind("\n", 0, error.position)
        raise NotYaml(line, "a control character", column=column) from None
    except MarkedYAMLError as error:
        raise _told(error, text) from None
    except (YAMLError, ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError):
        raise NotYaml(1, "unreadable") from None  # what the library trips over in odd text, without a word on where


def _told(error: MarkedYAMLError, text: str) -> NotYaml:
    """The library's error at the place of the mistake: what does not close is told where it opens."""
    words, mark = _words(error), error.problem_mark or error.context_mark
    if error.context_mark and "quoted scalar" in str(error.context) and "unexpected end" in words:
        words, mark = "a quote that does not close", error.context_mark
    elif error.context_mark and "but got '<stream end>'" in words:
        words, mark = "a bracket that does not close", error.context_mark
    if mark is None:
        return NotYaml(1, words)
    if words.startswith("mapping values") and _first_of_its_line(text, mark.line, mark.column):
        words = TOO_DEEP
    ours, advice = next((said for known, said in FAULTS.items() if known in words), ("", ""))
    meant = error.note if isinstance(error, ComposerError) else ""
    return NotYaml(mark.line + 1, ours or words, column=mark.column + 1, advice=meant or advice)


def _first_of_its_line(text: str, line: int, column: int) -> bool:
    """Whether the colon at a place follows the first word of its line: it is a key, and no part of a text."""
    lines = text.splitlines()
    return line < len(lines) and re.fullmatch(r"\s*[\w.-]+\s*", lines[line][:column]) is not None


def _words(error: MarkedYAMLError) -> str:
    """The library's words, but those that quote a value or a name."""
    words = str(error.problem or "unreadable").strip()
    if words.startswith("found duplicate key"):
        return words.partition(" with value")[0].removeprefix("found ")
    return words.removeprefix("found ")


class _Composer(Composer):
    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self.warn_double_anchors = False  # it would print them
        self._values = 0
        self._sizes: dict[int, int] = {}
        """Node → values in it, of those that are whole."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.parser.peek_event()
        if isinstance(event, AliasEvent):
            if event.anchor not in self.anchors:
                raise _fault("an undefined alias", event, suggest(event.anchor, self.anchors, "*"))
            node = super().compose_node(parent, index)
            if id(node) not in self._sizes:
                raise _fault("an alias inside what it names", event)
            self._values += self._sizes[id(node)]
        else:
            self._check(event)
            if index is None and isinstance(parent, MappingNode) and isinstance(event, CollectionStartEvent):
                raise _fault("a map as a key", event)
            before = self._values
            self._values += 1
            node = super().compose_node(parent, index)
            self._sizes[id(node)] = self._values - before
        if self._values > MAX_VALUES:
            raise _fault(f"more than {MAX_VALUES:,} values, an alias counted as all that it names", event)
        return node

    def _check(self, event: Any) -> None:
        if self.depth >= MAX_DEPTH:
            raise _fault(f"values nested more than {MAX_DEPTH} deep", event)
        if event.ctag is not None and str(event.ctag) not in ("!", _TEXT):
            raise _fault("a tag: values are what they look like", event)
        if isinstance(event, ScalarEvent) and _UNSTORABLE.search(event.value):
            raise _fault("U+0000 or a lone surrogate in a text", event)


class _Constructor(RoundTripConstructor):
    """A date that does not exist, such as 2026-02-30, stays a text: whoever takes dates then says so at its line."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            found = super().construct_object(node, deep)
        except (ValueError, LookupError, TypeError, AttributeError):  # e.g. a number of more digits than Python reads
            raise ConstructorError(None, None, "a value that cannot be read", node.start_mark) from None
        if isinstance(found, int) and abs(found) >= MAX_INTEGER:
            raise ConstructorError(None, None, "a number of more than 64 bits", node.start_mark)
        return found

    def timestamp(self, node: Any, values: Any = None) -> Any:
        try:
            return self.construct_yaml_timestamp(node, values)
        except ValueError:
            return self.construct_scalar(node)


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", _Constructor.timestamp)


def _fault(words: str, event: Any, advice: str = "") -> ComposerError:
    return ComposerError(None, None, words, event.start_mark, note=advice)

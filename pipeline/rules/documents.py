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

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_VALUES = 100_000
"""An alias counts as all that it names: ten lines of aliases can name a billion values."""
MAX_INTEGER = 1 << 64
_TEXT = "tag:yaml.org,2002:str"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


ADVICE = {
    "'\\t' that cannot start": "indent with spaces: YAML takes no tabs",
    "that cannot start any token": "put quotes around the text",
    "mapping values are not allowed": "put quotes around a text that holds a colon",
    "an undefined alias": "put quotes around a text that begins with *",
    "a map as a key": 'put quotes around it: "{{ … }}"',
    "expected <block end>": "let what belongs together begin in one column, indented with spaces",
    "could not find expected ':'": "write key: value, or put quotes around the text",
    "duplicate key": "say it once",
}
"""By the library's words, or our own."""


class NotYaml(Exception):
    """A text, or a file, that is no YAML, or more of it than is read. `line` counts from 1."""

    def __init__(self, line: int, found: str, expected: str = "YAML 1.2") -> None:
        super().__init__(found)
        self.line = line
        self.found = found
        self.expected = expected

    @property
    def advice(self) -> str:
        """What to do about it, where that can be told."""
        return next((advice for words, advice in ADVICE.items() if words in self.found), "")


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
        raise NotYaml(text.count("\n", 0, error.position) + 1, "a control character") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotYaml(mark.line + 1 if mark else 1, _words(error)) from None
    except (YAMLError, ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError):
        raise NotYaml(1, "unreadable") from None  # what the library trips over in odd text, without a word on where


def _words(error: MarkedYAMLError) -> str:
    """The library's words, but those that quote a value or a name."""
    words = str(error.problem or "unreadable").strip()
    if words.startswith("found duplicate key"):
        return words.partition(" with value")[0].removeprefix("found ")
    return "an undefined alias" if "undefined alias" in words else words.removeprefix("found ")


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
            node = super().compose_node(parent, index)
            if id(node) not in self._sizes:
                raise _fault("an alias inside of what it names", event)
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


def _fault(words: str, event: Any) -> ComposerError:
    return ComposerError(None, None, words, event.start_mark)

"""The settings as they stand: one YAML file, and the `CALENDS_…` environment variables laid over it.

Knows where each value stands, so that a mistake is told at its line, or by its variable's name: never its value.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError

from pipeline.rules.documents import NotYaml, load_yaml, read_file
from pipeline.rules.language import nearest, suggest
from pipeline.rules.problem import Problem, Spot
from pipeline.rules.shape_words import in_words
from pipeline.rules.shaping import by_place
from pipeline.settings import SecretRef, Settings

Place = tuple[int | str, ...]
PREFIX, DEEPER = "CALENDS_", "__"

IN_WORDS = {
    "kafka.inbound_topic": "a topic's name, of A-Z a-z 0-9 . _ -",
    "kafka.bootstrap_servers": "host:port, several with commas between",
    "ledger.url": "sqlite:///file or postgresql://user@host/database",
}
"""What pydantic would tell as a regular expression."""

REFERENCE = "{env: NAME}, the name of an environment variable, or {file: PATH}"
CHANGED = "write {env: NAME}; if a secret stood here, have it changed"


class Unreadable(Exception):
    """The file is no settings at all."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Wrong:
    """One mistake in the shape of the settings; `kind` is pydantic's word for it."""

    place: Place
    kind: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class Source:
    """A settings file, and what each environment variable sets."""

    file: Path
    document: Any
    variables: Mapping[str, dict[str, Any]]
    problems: tuple[Problem, ...]
    """Variables that cannot be read."""

    def values(self) -> dict[str, Any]:
        """All that is said, the environment over the file."""
        values: dict[str, Any] = plain(self.document)
        for said in self.variables.values():
            values = _laid_over(values, said)
        return values

    def problem(self, place: Place, message: str, found: str = "", expected: str = "", suggestion: str = "") -> Problem:
        variable = self.variable(place)
        if variable is not None:
            return Problem(f"environment variable {variable}", 0, message, "", expected, suggestion)
        return Problem.at(str(self.file), spot_in(self.document, place), message, found, expected, suggestion)

    def variable(self, place: Place) -> str | None:
        """The variable that says what stands at a place, or that alone made what lacks it."""
        in_file, _ = _walked(self.document, place)
        found = None
        for name, said in self.variables.items():
            depth, value = _walked(said, place)
            if depth > in_file or (depth == len(place) and not isinstance(value, Mapping)):
                found = name
        return found

    def lost(self, rules: str | list[Any]) -> Problem | None:
        """That the file or folder of the rules is not there."""
        path = self.file.parent / rules if isinstance(rules, str) else None
        if path is None or path.exists():
            return None
        beside = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        expected, advice = "a rule file, or a folder of them", suggest(path.name, beside)
        return self.problem(("rules",), "no such file or folder", str(rules), expected, advice)

    def wrong(self, values: Mapping[str, Any]) -> list[Wrong]:
        """What is wrong with the shape of these values, each mistake once."""
        strange = [(name,) for name in values if name.startswith("_")]
        if strange:  # pydantic-settings would take them for arguments of its own
            return [Wrong(place, "extra_forbidden", _unknown(self, place)) for place in strange]
        try:
            Settings(**values)
        except ValidationError as error:
            details = by_place(error.errors(include_url=False), values)
        else:
            return []
        found = [Wrong(place, told[0]["type"], _problem(self, place, told)) for place, told in details.items()]
        meant = {
            (*one.place[:-1], nearest(str(one.place[-1]), _known(one.place[:-1])))
            for one in found
            if one.kind == "extra_forbidden"
        }
        return [one for one in found if one.kind != "missing" or one.place not in meant]


def file_of(path: Path) -> Path:
    """The settings file: of a folder, its `calends.yaml`."""
    return path / "calends.yaml" if path.is_dir() else path


def read(file: Path) -> Source:
    """Raises Unreadable."""
    document = _document(file)
    variables, problems = _variables(_names())
    strangers = [name for name, said in variables.items() if not said and DEEPER in name]
    return Source(file, document, variables, (*problems, *map(_stranger, strangers)))


def readable(source: Source) -> tuple[Settings | None, list[Problem], list[Place]]:
    """The settings without what is wrong in them, what is wrong, and the places that were taken out for it."""
    values = source.values()
    problems, dropped = list(source.problems), list[Place]()
    while found := source.wrong(values):
        problems += [wrong.problem for wrong in found if not _follows(wrong, dropped)]
        # From the end, so that the indexes of a list stay right.
        taken = [without(values, wrong.place) for wrong in reversed(found)]
        if not any(taken):
            return None, problems, dropped
        dropped += [wrong.place for wrong in found]
    return Settings(**values), problems, dropped


def _follows(wrong: Wrong, dropped: Sequence[Place]) -> bool:
    """Whether this is wrong only because of what was taken out there, or beside it."""
    missing, of_whole = wrong.kind == "missing", wrong.kind == "value_error"
    depth = len(wrong.place)
    return any(
        (place[:depth] == wrong.place and not (of_whole and len(place) > depth + 1))
        or (missing and place[:-1] == wrong.place[:-1])
        for place in dropped
    )


def _variables(names: Sequence[str]) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """What each environment variable sets, and those that cannot be read."""
    variables, problems = dict[str, dict[str, Any]](), list[Problem]()
    if not names:
        return variables, problems
    from pydantic_settings import EnvSettingsSource, SettingsError  # slow to import, and most have no such variable

    source = EnvSettingsSource(cast(Any, Settings), env_prefix=PREFIX, env_nested_delimiter=DEEPER)
    for name in names:
        source.env_vars = {name.lower(): os.environ[name]}
        try:
            variables[name] = source()
        except (SettingsError, RecursionError):
            problems.append(Problem(f"environment variable {name}", 0, "cannot be read", "", "a list or map as JSON"))
    return variables, problems


def _names() -> list[str]:
    """The deeper a variable's path, the later: it says more than one that holds a whole section as JSON."""
    ours = [name for name in os.environ if name.upper().startswith(PREFIX)]
    return sorted(ours, key=lambda name: (name.count(DEEPER), name))


def _stranger(name: str) -> Problem:
    """A path of which there is not even the beginning. `CALENDS_CONFIG` and the like have no path."""
    word = name[len(PREFIX) :].lower().split(DEEPER)[0]
    known = tuple(Settings.model_fields)
    where, expected = f"environment variable {name}", "one of " + ", ".join(known)
    return Problem(where, 0, f"an unknown key: {word}", "", expected, suggest(word, known))


def _document(file: Path) -> Any:
    """The file's YAML with its line numbers, a mapping."""
    try:
        text = read_file(file)
    except NotYaml as error:
        raise Unreadable(error.problem(str(file), "the file cannot be read")) from None
    try:
        document = load_yaml(text)
    except NotYaml as error:
        raise Unreadable(error.problem(str(file), "not YAML")) from None
    if not isinstance(document, Mapping):
        found = type(document).__name__
        raise Unreadable(Problem(str(file), 1, "not a mapping", found, "kafka, destinations, rules, …"))
    return document


def _problem(source: Source, place: Place, told: list[Any]) -> Problem:
    name = ".".join(str(part) for part in place) or "settings"
    detail = told[0]
    if detail["type"] == "extra_forbidden":
        return _unknown(source, place)
    if detail["type"] == "missing":
        return source.problem(place, f"{name} is missing", "", f"{place[-1]}:")
    if any(one["type"] == "model_type" and one["ctx"]["class_name"] == SecretRef.__name__ for one in told):
        return source.problem(place, f"{name} is not right", "", REFERENCE, CHANGED)
    secret = any(str(part) in ("credential", "url", "sasl_password", "webhook") for part in place)
    found = "" if secret or isinstance(detail["input"], Mapping | BaseModel) else repr(detail["input"])[:60]
    expected = IN_WORDS.get(name) or " or ".join(dict.fromkeys(map(in_words, told)))
    lone = expected == "a list" and isinstance(detail["input"], Mapping)
    return source.problem(place, f"{name} is not right", found, expected, "put [ ] around it" if lone else "")


def _unknown(source: Source, place: Place) -> Problem:
    known, word = _known(place[:-1]), str(place[-1])
    name, expected = ".".join(str(part) for part in place), "one of " + ", ".join(known) if known else "no such key"
    return source.problem(place, f"an unknown key: {name}", word, expected, suggest(word, known))


def _known(where: Place) -> tuple[str, ...]:
    """The keys that a place may have; none: any name, or not known."""
    kind: Any = Settings
    for part in where:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found = kind.model_fields.get(str(part))
            kind = found.annotation if found else None
        else:  # dict[str, X], tuple[X, ...], X | None
            kind = next((arg for arg in reversed(get_args(kind)) if arg not in (type(None), Ellipsis)), None)
        if isinstance(kind, UnionType):
            kind = next(arg for arg in get_args(kind) if arg is not type(None))
    return tuple(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else ()


def spot_in(document: Any, place: Place) -> Spot:
    """Where the innermost known part of a place stands."""
    spot = Spot(1)
    for part in place:
        try:
            line, column = document.lc.data[part][:2]
            document = document[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
        spot = Spot(line + 1, column + 1)
    return spot


def plain(value: Any) -> Any:
    """ruamel's round-trip values as plain ones."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def without(values: Any, place: Place) -> bool:
    """Takes out the innermost part of a place that is there; False where nothing is."""
    depth, _ = _walked(values, place)
    if not depth:
        return False
    for part in place[: depth - 1]:
        values = values[part]
    del values[place[depth - 1]]
    return True


def _walked(values: Any, place: Place) -> tuple[int, Any]:
    """How many parts of a place are there, and what stands at the last of them."""
    depth = 0
    for part in place:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            break
        depth += 1
    return depth, values


def _laid_over(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    return {**below, **dict(_merged(below, above))}


def _merged(below: dict[str, Any], above: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in above.items():
        match below.get(name), value:
            case dict() as under, Mapping() as over:
                yield name, _laid_over(under, over)
            case _:
                yield name, value

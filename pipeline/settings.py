"""The configuration: one YAML file, overridden by `CALENDS_…` environment variables, validated once.

Secrets never stand in the file: a credential names an environment variable or a file to read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.model.change import BASE
from pipeline.model.wire import Credential
from pipeline.rules.adapt import DestinationView
from pipeline.rules.language import suggest
from pipeline.rules.schema import Problem, Rules, load_inline, load_paths, load_text
from pipeline.rules.slots import FIELD_SLOTS
from pipeline.vendors import vendors
from pipeline.vendors.contract import Vendor, Window

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds(value: Any) -> Any:
    """`500ms`, `2s`, `1m`, `1h`, `30d` or a number of seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)", value) if isinstance(value, str) else None
    if found:
        return float(found[1]) * _UNITS[found[2]]
    if isinstance(value, str):
        raise ValueError("expected a duration such as 500ms, 2s, 1m, 1h or 30d")
    return value


Seconds = Annotated[float, BeforeValidator(seconds), Field(gt=0)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretRef(Strict):
    """Where a secret is: the name of an environment variable, or a file whose content it is."""

    env: str | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> SecretRef:
        if (self.env is None) == (self.file is None):
            raise ValueError("expected exactly one of `env` and `file`")
        return self

    def read(self) -> str | None:
        """The secret as it is now, None where it is not there."""
        if self.env is not None:
            return os.environ.get(self.env)
        try:
            return Path(self.file or "").read_text().strip()
        except OSError:
            return None


class Kafka(Strict):
    bootstrap_servers: str = Field(default="localhost:9092", pattern=r"^[^\s,:]+:\d{1,5}(,[^\s,:]+:\d{1,5})*$")
    group_id: str = "calends"
    topics: tuple[str, ...] = ()
    """Default: the topics that the rules name."""
    pattern: str | None = None
    """A regular expression of topic names, in the place of `topics`."""
    client_id: str = "calends"
    dead_letter_topic: str = "calends.dead-letters"
    outcome_topic: str | None = None
    """Where what became of each entry is told, with the vendor's id and links; none: nowhere."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretRef | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None

    @model_validator(mode="after")
    def _complete(self) -> Kafka:
        if self.security_protocol.startswith("SASL") and not (
            self.sasl_mechanism and self.sasl_username and self.sasl_password
        ):
            raise ValueError(f"{self.security_protocol} needs sasl_mechanism, sasl_username and sasl_password")
        return self


class LedgerSettings(Strict):
    url: str = Field(default="sqlite:///calends.db", pattern=r"^(sqlite:///|postgresql://|postgresql\+psycopg://)")
    """`sqlite:///file` or `postgresql://user@host/database`; `CALENDS_LEDGER__URL` keeps a password out of the file."""


class Quota(Strict):
    calls: int = Field(gt=0)
    per: Seconds


class Account(Strict):
    vendor: str
    base_url: str | None = None
    credential: dict[str, SecretRef] = {}
    quota: tuple[Quota, ...] = ()
    concurrency: int | None = Field(default=None, gt=0)
    timeout: Seconds | None = None
    settle_time: Seconds | None = None


class Destination(Strict):
    account: str | None = None
    vendor: str | None = None
    """Where the destination has an account of its own, described right here."""
    base_url: str | None = None
    credential: dict[str, SecretRef] = {}
    quota: tuple[Quota, ...] = ()
    options: dict[str, Any] = {}
    omit: frozenset[str] = frozenset()
    links: Literal["in_description"] | None = None
    defaults: dict[str, Any] = {}
    max_attempts: int = Field(default=8, gt=0)

    @model_validator(mode="after")
    def _one(self) -> Destination:
        if (self.account is None) == (self.vendor is None):
            raise ValueError("expected exactly one of `account` and `vendor`")
        if self.account is not None and (self.base_url or self.credential or self.quota):
            raise ValueError("base_url, credential and quota belong to the account")
        return self


class Admin(Strict):
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)


class Settings(BaseSettings):
    """The whole file."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="CALENDS_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    kafka: Kafka = Kafka()
    ledger: LedgerSettings = LedgerSettings()
    admin: Admin = Admin()
    layers: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")], ...] = ()
    """Names above `base`, lowest first."""
    accounts: dict[str, Account] = {}
    destinations: dict[str, Destination] = Field(min_length=1)
    rules: str | list[Any] = "rules"
    """A file or folder beside the settings, or the rules themselves."""
    grace_period: Seconds = 8.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings

    @property
    def all_layers(self) -> tuple[str, ...]:
        """`base` and those above it."""
        return (BASE, *(layer for layer in self.layers if layer != BASE))

    def account_of(self, name: str) -> tuple[str, Account]:
        """The account that a destination uses; one of its own is named like it."""
        destination = self.destinations[name]
        if destination.account is not None:
            return destination.account, self.accounts[destination.account]
        own = destination.model_dump(include={"vendor", "base_url", "credential", "quota"}, exclude_unset=True)
        return name, Account.model_validate(own)

    def vendor_of(self, name: str) -> Vendor:
        return vendors()[self.account_of(name)[1].vendor]

    def options_of(self, name: str) -> dict[str, Any]:
        """The vendor's options, with its defaults where the destination says nothing."""
        given = self.destinations[name].options
        return {option.name: given.get(option.name, option.default) for option in self.vendor_of(name).options}

    def shares_account(self, name: str) -> bool:
        """Whether another destination uses the same account: the vendor's key must then name the destination."""
        account = self.account_of(name)[0]
        return sum(self.account_of(other)[0] == account for other in self.destinations) > 1


def windows_of(account: Account, vendor: Vendor) -> tuple[Window, ...]:
    return tuple(Window(quota.calls, quota.per) for quota in account.quota) or vendor.defaults.windows


def credential_of(account: Account) -> Credential:
    """What is there now: files are read anew each time, so that a rotated secret is found."""
    values = {name: reference.read() for name, reference in account.credential.items()}
    return Credential({name: value for name, value in values.items() if value is not None})


# what it means -----------------------------------------------------------------------------------------------------


def view_of(settings: Settings, name: str) -> DestinationView:
    """A destination as the rules see it. Raises RenderError or BadTime where a default is not what its field takes."""
    destination, vendor = settings.destinations[name], settings.vendor_of(name)
    return DestinationView(
        name=name,
        vendor=vendor,
        options=settings.options_of(name),
        omit=destination.omit,
        in_description=frozenset({"links"} if destination.links else ()),
        defaults={field: default_of(field, value) for field, value in destination.defaults.items()},
    )


def views_of(settings: Settings) -> dict[str, DestinationView]:
    """The destinations as the rules see them."""
    return {name: view_of(settings, name) for name in settings.destinations}


def default_of(field: str, value: Any) -> Any:
    """A default as content has it: written like the field of a rule, e.g. `alerts: [1d]`."""
    return FIELD_SLOTS[field](value) if field in FIELD_SLOTS else value


def rules_of(settings: Settings, file: Path) -> Rules:
    """The rules, wherever they stand; `file` is the settings file."""
    if isinstance(settings.rules, str):
        return load_paths([file.parent / settings.rules], vendors())
    text = file.read_text("utf-8")
    if text.lstrip().startswith("{"):
        return load_inline(settings.rules, str(file), 1, vendors())
    return load_text(_only("rules", text), str(file), vendors())


def _only(section: str, text: str) -> str:
    """The text with every other top-level section blanked, so that each line keeps its number."""
    kept, inside = [], False
    for line in text.splitlines():
        if line[:1] not in ("", " ", "-", "#"):
            inside = line.startswith((f"{section}:", f'"{section}":', f"'{section}':"))
        kept.append(line if inside else "")
    return "\n".join(kept)


# reading -----------------------------------------------------------------------------------------------------------


class SettingsError(Exception):
    """The settings cannot be used. `places` are the keys that lead to each problem."""

    def __init__(self, problems: list[Problem], places: list[tuple[int | str, ...]] | None = None) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
        self.places = places or []


def file_of(path: Path) -> Path:
    """The settings file: of a folder, its `calends.yaml`."""
    return path / "calends.yaml" if path.is_dir() else path


def load(path: Path) -> Settings:
    """Reads and validates a settings file (a folder: its `calends.yaml`). Raises SettingsError with every problem."""
    file = file_of(path)
    document = read(file)
    return validated(document, plain(document), file)


def read(file: Path) -> Any:
    """The file's YAML with its line numbers, a mapping. Raises SettingsError."""
    try:
        document = YAML(typ="rt").load(file.read_text("utf-8"))
    except OSError as error:
        reason = error.strerror or ""
        raise SettingsError([Problem(str(file), 1, "the file cannot be read", reason, "a YAML file")]) from None
    except UnicodeDecodeError:
        raise SettingsError([Problem(str(file), 1, "the file cannot be read", "bytes", "text in UTF-8")]) from None
    except YAMLError as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        reason = str(error.problem) if isinstance(error, MarkedYAMLError) else "unreadable"
        line = mark.line + 1 if mark else 1
        raise SettingsError([Problem(str(file), line, "not valid YAML", reason, "YAML 1.2")]) from None
    if not isinstance(document, Mapping):
        found = type(document).__name__
        raise SettingsError([Problem(str(file), 1, "not a mapping", found, "kafka, destinations, rules, …")])
    return document


def validated(document: Any, values: dict[str, Any], file: Path) -> Settings:
    """The settings of these values; `document` is where the lines are known. Raises SettingsError."""
    try:
        return Settings(**values)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        problems = [_problem(document, file, detail) for detail in details]
        raise SettingsError(problems, [detail["loc"] for detail in details]) from None
    except UnreadableVariable as error:
        problem = Problem(str(file), 1, "an environment variable CALENDS_… cannot be read", str(error), "JSON")
        raise SettingsError([problem]) from None


def _problem(document: Any, file: Path, detail: Any) -> Problem:
    where = tuple(detail["loc"])
    line = line_of(document, where) or 1
    name = ".".join(str(part) for part in where) or "settings"
    if detail["type"] == "extra_forbidden":
        known = _known(where[:-1])
        expected = "one of " + ", ".join(known) if known else "no such key"
        return Problem(
            str(file), line, f"an unknown key: {name}", str(where[-1]), expected, suggest(str(where[-1]), known)
        )
    if detail["type"] == "missing":
        return Problem(str(file), line, f"{name} is missing", "", f"{where[-1]}:")
    secret = any(str(part) in ("credential", "url", "sasl_password") for part in where)
    found = "" if secret or isinstance(detail["input"], Mapping | BaseModel) else repr(detail["input"])[:60]
    words = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ").removeprefix("expected ")
    return Problem(str(file), line, f"{name} is not right", found, words)


def _known(where: tuple[int | str, ...]) -> tuple[str, ...]:
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


def line_of(document: Any, location: tuple[int | str, ...]) -> int | None:
    """The line (from 1) at which the innermost known part of a location stands."""
    line = None
    for part in location:
        try:
            place = document.lc.data[part]
            document = document[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
        line = place[0] + 1
    return line


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

"""The configuration: one YAML file, overridden by `CALENDS_…` environment variables, validated once.

Secrets never stand in the file: a credential names an environment variable or a file to read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from pipeline.model.wire import Credential
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
    bootstrap_servers: str = "localhost:9092"
    group_id: str = "calends"
    topics: tuple[str, ...] = ()
    """Default: the topics that the rules name."""
    pattern: str | None = None
    """A regular expression of topic names, in the place of `topics`."""
    client_id: str = "calends"
    dead_letter_topic: str = "calends.dead-letters"
    outcome_topic: str | None = None
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
    url: str = "sqlite:///calends.db"
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
        extra="forbid", frozen=True, env_prefix="CALENDS_", env_nested_delimiter="__", nested_model_default_partial_update=True
    )

    kafka: Kafka = Kafka()
    ledger: LedgerSettings = LedgerSettings()
    admin: Admin = Admin()
    layers: tuple[str, ...] = ()
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


# reading -----------------------------------------------------------------------------------------------------------


class SettingsError(Exception):
    """The settings cannot be used; `problems` are (line, message, found, expected) each."""

    def __init__(self, file: Path, problems: list[tuple[int | None, str, str, str]]) -> None:
        super().__init__(f"{file}: {len(problems)} problem(s)")
        self.file = file
        self.problems = problems


def load(path: Path) -> Settings:
    """Reads and validates a settings file (a folder: its `calends.yaml`). Raises SettingsError with every problem."""
    file = path / "calends.yaml" if path.is_dir() else path
    try:
        document = YAML(typ="rt").load(file.read_text())
    except OSError as error:
        raise SettingsError(file, [(None, "the file cannot be read", error.strerror or "", "a YAML file")]) from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise SettingsError(file, [(line, "not valid YAML", str(error.problem), "YAML")]) from None
    if not isinstance(document, Mapping):
        raise SettingsError(file, [(1, "not a mapping", type(document).__name__, "kafka, destinations, rules, …")])
    try:
        return Settings(**_plain(document))
    except ValidationError as error:
        problems = [_problem(document, detail) for detail in error.errors(include_url=False, include_context=False)]
        raise SettingsError(file, problems) from None


def _problem(document: Any, detail: Any) -> tuple[int | None, str, str, str]:
    where = ".".join(str(part) for part in detail["loc"])
    secret = any(str(part) in ("credential", "url", "sasl_password") for part in detail["loc"])
    found = "" if secret or isinstance(detail["input"], Mapping | Settings) else repr(detail["input"])[:60]
    return line_of(document, detail["loc"]), where or "settings", found, detail["msg"]


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


def _plain(value: Any) -> Any:
    """ruamel's round-trip values as plain ones."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value

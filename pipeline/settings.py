"""The configuration: the shape of its one file, and what it means.

Secrets never stand in the file: a credential names an environment variable or a file to read.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pipeline import sealing
from pipeline.model.change import BASE
from pipeline.model.facts import KEEP
from pipeline.model.wire import TOPIC, Credential
from pipeline.rules.adapt import DestinationView
from pipeline.rules.reading import load_inline, load_paths, load_text, twice_named
from pipeline.rules.schema import Rules
from pipeline.rules.slots import FIELD_SLOTS
from pipeline.sealing import Seal
from pipeline.vendors import vendors
from pipeline.vendors.contract import Vendor, Window

MAX_SECRET = 64 * 1024
"""Bytes of a file with a secret."""
DURATION = r"^(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)$"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds(value: Any) -> Any:
    """`500ms`, `2s`, `1m`, `1h`, `30d` or a number of seconds."""
    found = re.fullmatch(DURATION, value) if isinstance(value, str) else None
    if found:
        return float(found[1]) * _UNITS[found[2]]
    if isinstance(value, str):
        raise ValueError("expected a duration such as 500ms, 2s, 1m, 1h or 30d")
    return value


# To an editor, and to the chart, a duration is a number or such a text.
_said = BeforeValidator(seconds, json_schema_input_type=float | Annotated[str, Field(pattern=DURATION)])
Seconds = Annotated[float, _said, Field(gt=0)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class SecretRef(Strict):
    """Where a secret is: the name of an environment variable, or a file whose content it is."""

    env: str | None = None
    """The name of an environment variable that holds the secret."""
    file: Path | None = None
    """A file whose content is the secret; it is read anew each time."""

    @model_validator(mode="after")
    def _one(self) -> SecretRef:
        if (self.env is None) == (self.file is None):
            raise ValueError("expected exactly one of `env` and `file`")
        return self

    @property
    def missing(self) -> str:
        """Where it is looked for and what to do, for when it cannot be read."""
        if self.env is not None:
            return f"the environment variable {self.env} is not set, or empty: set it and start the workers again"
        return f"the file {self.file} is missing, empty or not readable: put it back, it is read anew at each probe"

    def read(self) -> str | None:
        """The secret as it is now, None where it is not there, is no text, or is no secret by its size."""
        try:
            if self.env is not None:
                return os.environ.get(self.env)
            with Path(self.file or "").open("rb") as opened:
                found = opened.read(MAX_SECRET + 1)
            return found.decode().strip() if len(found) <= MAX_SECRET else None
        except (OSError, ValueError):  # ValueError: a name, or a content, that is no text
            return None


class SchemaRegistry(Strict):
    """Where the schemas of framed records are."""

    url: str = Field(pattern=r"^https?://[^\s@,]+$")
    """Its address, such as https://registry:8081."""
    username: str | None = None
    """Of HTTP Basic; with password."""
    password: SecretRef | None = None
    """Where the password is."""
    ssl_cafile: Path | None = None
    """A PEM file of the authorities that may have signed its certificate."""

    @model_validator(mode="after")
    def _both(self) -> SchemaRegistry:
        if (self.username is None) != (self.password is None):
            raise ValueError("expected both of `username` and `password`, or neither")
        return self


class Kafka(Strict):
    bootstrap_servers: str = Field(default="localhost:9092", pattern=r"^[^\s,:]+:\d{1,5}(,[^\s,:]+:\d{1,5})*$")
    """host:port of brokers, several with commas between."""
    group_id: str = "calends"
    """The consumer group; workers of one group share the partitions."""
    topics: tuple[str, ...] = ()
    """Default: the topics that the rules name."""
    pattern: str | None = None
    """A regular expression of topic names, in the place of `topics`."""
    client_id: str = "calends"
    """How brokers name this client in their logs and quotas."""
    dead_letter_topic: str = "calends.dead-letters"
    """Where what cannot be used goes, bytes untouched."""
    outcome_topic: str | None = None
    """Where what became of each entry is told, with the vendor's id and links; none: nowhere."""
    inbound_topic: str = Field(default="calends.inbound", pattern=rf"^{TOPIC.pattern}$")
    """Where `calends webhooks` writes what vendors tell, and where links are read from."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How to talk to the brokers."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """Required with a SASL protocol."""
    sasl_username: str | None = None
    """Required with a SASL protocol."""
    sasl_password: SecretRef | None = None
    """Where the password is; required with a SASL protocol."""
    ssl_cafile: Path | None = None
    """A PEM file of the authorities that may have signed the brokers' certificates."""
    ssl_certfile: Path | None = None
    """A PEM file with the certificate of this client."""
    ssl_keyfile: Path | None = None
    """A PEM file with the key of this client's certificate."""
    schema_registry: SchemaRegistry | None = None
    """For records that begin with the magic byte 0 and a schema's id; none: they are dead letters."""

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
    keep: Annotated[float, _said, Field(ge=86_400.0)] = KEEP
    """How long what has ended is remembered; longer than the topics keep a record, see docs/decisions/0010."""


class Quota(Strict):
    calls: int = Field(gt=0)
    """Calls in one window at most."""
    per: Seconds
    """The length of the window, such as 1m."""


class Budget(Strict):
    credits: float = Field(gt=0)
    """The vendor's credits that may be used up in one period."""
    per: Literal["month"] | Seconds = "month"
    """A calendar month (UTC), or a duration."""


class Account(Strict):
    vendor: str
    """Its short name: `calends vendors` lists them."""
    base_url: str | None = None
    """https://host or https://host/path; without it the vendor's own."""
    credential: dict[str, SecretRef] = {}
    """The parts of its credential → where each secret is. `calends vendors NAME` lists the parts."""
    quota: tuple[Quota, ...] = ()
    """What the vendor allows; each window counts. Without it, the vendor's published quota."""
    budget: Budget | None = None
    """How many credits may be used up."""
    batch: int | None = Field(default=None, gt=0)
    """Entries in one call at most, of a vendor that takes several."""
    concurrency: int | None = Field(default=None, gt=0)
    """Calls under way at once at most; without it 32. How many there are is found by itself."""
    timeout: Seconds | None = None
    """How long a call may take before it counts as unanswered."""
    settle_time: Seconds | None = None
    """How long after an unanswered call the vendor may still act on it."""


class Webhook(Strict):
    """That this destination's vendor posts to `calends webhooks`."""

    secret: SecretRef
    """The last part of the address that the vendor posts to, or the header `x-calends-secret`."""


class Destination(Strict):
    account: str | None = None
    """The account that it uses; several destinations may share one."""
    vendor: str | None = None
    """Where the destination has an account of its own, described right here."""
    base_url: str | None = None
    """As in an account; for a destination with a vendor of its own."""
    credential: dict[str, SecretRef] = {}
    """As in an account; for a destination with a vendor of its own."""
    quota: tuple[Quota, ...] = ()
    """As in an account; for a destination with a vendor of its own."""
    budget: Budget | None = None
    """As in an account; for a destination with a vendor of its own."""
    options: dict[str, Any] = {}
    """The vendor's options: `calends vendors NAME` lists them."""
    omit: frozenset[str] = frozenset()
    """Fields of entries that are left out here, because the vendor cannot say them."""
    links: Literal["in_description"] | None = None
    """`in_description`: links are written into the description, where the vendor has no field for them."""
    defaults: dict[str, Any] = {}
    """Fields of every entry here that its rule does not say; written as in a rule, without templates."""
    max_attempts: int = Field(default=8, gt=0)
    """After so many refusals an entry is dead-lettered."""
    webhook: Webhook | None = None
    """That the vendor posts to `calends webhooks` for this destination."""

    @model_validator(mode="after")
    def _one(self) -> Destination:
        if (self.account is None) == (self.vendor is None):
            raise ValueError("expected exactly one of `account` and `vendor`")
        if self.account is not None and (self.base_url or self.credential or self.quota or self.budget):
            raise ValueError("base_url, credential, quota and budget belong to the account")
        return self


class Admin(Strict):
    host: str = "127.0.0.1"
    """The address that the worker listens on for probes, metrics and commands."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Its port; 0 takes a free one."""


class Brake(Strict):
    """When new rules wait for `calends approve`."""

    share: float = Field(default=0.1, ge=0, le=1)
    """Of the live entries, what a new rule set may cancel or delete; 1: as many as it likes."""
    records: int = Field(default=20_000, gt=0)
    """The newest records that new rules are judged by."""


class Webhooks(Strict):
    """Where `calends webhooks` listens."""

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = Field(default=8081, ge=0, le=65535)
    """Its port; 0 takes a free one."""


class Settings(Strict):
    """The whole file."""

    model_config = ConfigDict(
        json_schema_extra={"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Settings of Calends"}
    )

    kafka: Kafka = Kafka()
    """Where events are read and outcomes are told."""
    ledger: LedgerSettings = LedgerSettings()
    """The database that remembers what was asked and what is there."""
    admin: Admin = Admin()
    """Where the worker listens for probes, metrics and commands."""
    webhooks: Webhooks = Webhooks()
    """The address of `calends webhooks`."""
    brake: Brake = Brake()
    """How much new rules may change before somebody approves of them."""
    layers: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")], ...] = ()
    """Names above `base`, lowest first."""
    accounts: dict[str, Account] = {}
    """Accounts at vendors, by a name of your own."""
    destinations: dict[str, Destination] = Field(min_length=1)
    """Where entries go, by the name that rules say in to:."""
    rules: str | list[Any] = "rules"
    """A file or folder beside the settings, or the rules themselves."""
    tests: list[Any] = []
    """Tests of the rules that stand in the settings themselves."""
    grace_period: Seconds = 8.0
    """How long a worker that is told to stop may go on with calls that are under way."""
    key_file: Path | None = None
    """Keys of our own, one a line, the newest first: for what the ledger keeps encrypted, and for hashes in logs."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is logged."""

    def seal(self) -> Seal | None:
        """Raises KeysInvalid."""
        return None if self.key_file is None else sealing.read(self.key_file)

    @property
    def all_layers(self) -> tuple[str, ...]:
        """`base` and those above it."""
        return (BASE, *(layer for layer in self.layers if layer != BASE))

    @property
    def hooked(self) -> dict[str, Webhook]:
        """The destinations whose vendor posts to us."""
        named = self.destinations.items()
        return {name: destination.webhook for name, destination in named if destination.webhook is not None}

    def account_of(self, name: str) -> tuple[str, Account]:
        """The account that a destination uses; one of its own is named like it."""
        destination = self.destinations[name]
        if destination.account is not None:
            return destination.account, self.accounts[destination.account]
        own = destination.model_dump(
            include={"vendor", "base_url", "credential", "quota", "budget"}, exclude_unset=True
        )
        return name, Account.model_validate(own)

    def vendor_of(self, name: str) -> Vendor:
        return vendors()[self.account_of(name)[1].vendor]

    def options_of(self, name: str) -> dict[str, Any]:
        """The vendor's options, with its defaults where the destination says nothing."""
        given = self.destinations[name].options
        return {option.name: given.get(option.name, option.default) for option in self.vendor_of(name).options}

    def prefix_of(self, name: str) -> str:
        """What makes our keys unique at the vendor."""
        return f"{name}." if self.shares_account(name) else ""

    def shares_account(self, name: str) -> bool:
        """Whether another destination uses the same account: the vendor's key must then name the destination."""
        used = [destination.account or own for own, destination in self.destinations.items()]
        return used.count(self.destinations[name].account or name) > 1


def windows_of(account: Account, vendor: Vendor) -> tuple[Window, ...]:
    return tuple(Window(quota.calls, quota.per) for quota in account.quota) or vendor.defaults.windows


def credential_of(account: Account) -> Credential:
    """What is there now: files are read anew each time, so that a rotated secret is found."""
    values = {name: reference.read() for name, reference in account.credential.items()}
    missing = {name: account.credential[name].missing for name, value in values.items() if not value}
    return Credential({name: value for name, value in values.items() if value}, missing)


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
        prefix=settings.prefix_of(name),
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
    loaded = load_text(_only(("rules", "tests"), text), str(file), vendors())
    return loaded + Rules(problems=tuple(twice_named(loaded.rules)))


def _only(sections: tuple[str, ...], text: str) -> str:
    """The text with every other top-level section blanked, so that each line keeps its number."""
    starts = tuple(f"{quote}{section}{quote}:" for section in sections for quote in ("", '"', "'"))
    kept, inside = [], False
    for line in text.splitlines():
        if line[:1] not in ("", " ", "-", "#"):
            inside = line.startswith(starts)
        kept.append(line if inside else "")
    return "\n".join(kept)

"""Everything that can be known of a configuration before it runs: settings, credentials, destinations, rules, tests.

Each mistake is told with its file and line, and one mistake hides as few others as possible. Nothing is sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from pipeline.model.change import BASE
from pipeline.model.entry import FIELDS
from pipeline.model.when import BadZone
from pipeline.operate.reading import Place, Source, Unreadable, file_of, read, readable
from pipeline.rules.adapt import DestinationView
from pipeline.rules.check import check_rules
from pipeline.rules.compiled import has_braces
from pipeline.rules.evaluate import RuleSet, RulesInvalid
from pipeline.rules.language import nearest, suggest
from pipeline.rules.linking import linking
from pipeline.rules.patterns import UNREADABLE, unreadable
from pipeline.rules.problem import Problem
from pipeline.rules.render import RenderError
from pipeline.rules.schema import Rules
from pipeline.rules.secrets import secret_problems, secrets_in_tests
from pipeline.rules.selftest import run_tests
from pipeline.rules.unsayable import Certain, Refusal
from pipeline.rules.zone_names import zone_asked
from pipeline.sealing import KeysInvalid
from pipeline.settings import Account, Destination, SecretRef, Settings, Webhook, default_of, rules_of
from pipeline.vendors import vendors
from pipeline.vendors.contract import Vendor, free


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `settings` leave out what could not be read; None: nothing could."""

    file: Path
    problems: tuple[Problem, ...]
    settings: Settings | None = None
    rules: Rules = field(default_factory=Rules)
    views: Mapping[str, DestinationView] = field(default_factory=dict)
    lacking: frozenset[Problem] = frozenset()
    """Those of the problems that are of a secret which is not there."""

    @property
    def lacks_only_secrets(self) -> bool:
        """Whether nothing else is wrong: if it is, nothing is certain of what rules do not name."""
        return self.lacking.issuperset(self.problems)

    @property
    def usable(self) -> Settings:
        """The settings, for whoever has seen that there are some."""
        assert self.settings is not None
        return self.settings

    def rule_set(self) -> RuleSet:
        """The rules, and those that Calends brings along. Only of a configuration without problems."""
        own = linking(self.usable.kafka.inbound_topic, self.usable.hooked)
        return RuleSet(self.rules + own, self.views, self.usable.all_layers)


Part = Literal["worker", "webhooks"]
"""A process: each is given only the secrets that it needs."""


def check(path: Path, secrets: bool = True, tests: bool = True, part: Part | None = None, rules: bool = True) -> Report:
    """The whole configuration; without `secrets`, `tests` or `rules`, those are not looked at; with `part`, only its
    secrets."""
    file = file_of(path)
    try:
        source = read(file)
    except Unreadable as error:
        return Report(file, (error.problem,))
    settings, problems, dropped = readable(source)
    if settings is None:
        return Report(file, tuple(sorted(set(problems))))
    desk = _Desk(settings, source)
    of_destinations = {name: list(desk.destination(name)) for name in settings.destinations}
    lacking = frozenset(desk.secrets(part)) if secrets else frozenset()
    problems += [
        *desk.top(),
        *desk.keys(secrets),
        *desk.accounts(),
        *chain(*of_destinations.values()),
        *desk.webhooks(secrets and part != "worker"),
        *lacking,
    ]
    views = desk.views()
    read_rules, lost = _read_rules(settings, source) if rules and ("rules",) not in dropped else (Rules(), None)
    problems += [lost] if lost else []
    doubtful = {place[1] for place in dropped if place[0] == "destinations" and len(place) > 1}
    doubtful |= {name for name in source.values()["destinations"] if name not in views or of_destinations[name]}
    held = _secrets_of(settings) if secrets else {}
    problems += [*secret_problems(read_rules, held), *secrets_in_tests(read_rules, held)]
    problems += _rules(read_rules, views, settings.all_layers, tests, frozenset(map(str, doubtful)))
    return Report(file, tuple(sorted(set(problems))), settings, read_rules, views, lacking)


def _read_rules(settings: Settings, source: Source) -> tuple[Rules, Problem | None]:
    """The rules, and what is wrong where there are none."""
    lost = source.lost(settings.rules)
    if lost is not None:
        return Rules(), lost
    found = rules_of(settings, source.file)
    none = not found.rules and not found.problems
    return found, source.problem(("rules",), "no rules", "", "at least one rule") if none else None


def _secrets_of(settings: Settings) -> dict[str, str]:
    """The secrets that the settings name → what they are."""
    held: dict[str, str] = {}
    for name, account in (settings.account_of(name) for name in settings.destinations if _has_account(settings, name)):
        for part, reference in account.credential.items():
            held[reference.read() or ""] = f"the {part} of account {name}"
    for name, webhook in settings.hooked.items():
        held[webhook.secret.read() or ""] = f"the secret of the webhook of {name}"
    return held


def _has_account(settings: Settings, name: str) -> bool:
    destination = settings.destinations[name]
    return destination.account is None or destination.account in settings.accounts


def _rules(
    rules: Rules, views: Mapping[str, DestinationView], layers: Sequence[str], tests: bool, doubtful: Collection[str]
) -> list[Problem]:
    """What is wrong with the rules. The tests of files without other problems run whatever the other files hold."""
    problems = check_rules(replace(rules, tests=()), views, layers, doubtful)
    wrong = {problem.file for problem in problems if problem not in rules.of_tests}
    wrong |= {sourced.file for sourced in rules.rules if not sourced.destinations().isdisjoint(doubtful)}
    clean = Rules(
        tuple(sourced for sourced in rules.rules if sourced.file not in wrong),
        tuple(test for test in rules.tests if test.file not in wrong),
    )
    if not tests or not clean.tests:
        return problems
    try:
        return problems + run_tests(RuleSet(clean, views, tuple(layers)))
    except RulesInvalid:
        return problems


@dataclass(frozen=True, slots=True)
class _Desk:
    """Settings that could be read, beside where they stand."""

    settings: Settings
    source: Source

    def problem(self, place: Place, message: str, found: str = "", expected: str = "", suggestion: str = "") -> Problem:
        return self.source.problem(place, message, found, expected, suggestion)

    def unknown(self, place: Place, what: str, name: str, known: Sequence[str]) -> Problem:
        expected = "one of " + ", ".join(known) if known else "none is declared"
        return self.problem(place, f"an unknown {what}", name, expected, suggest(name, known))

    def keys(self, secrets: bool) -> Iterator[Problem]:
        """The key file, and whether one is needed."""
        if self.settings.key_file is not None and secrets:
            try:
                self.settings.seal()
            except KeysInvalid as error:
                yield self.problem(("key_file",), "key_file cannot be used", str(self.settings.key_file), str(error))
        if self.settings.key_file is not None or self.settings.kafka.outcome_topic is None:
            return
        for name in self.settings.destinations:
            vendor = self._vendor(name)
            if vendor is not None and vendor.defaults.secret_links:
                message = f"outcomes of {name} may hold links with a password, which the ledger keeps encrypted"
                yield self.problem(("kafka", "outcome_topic"), message, "no key_file", "key_file: FILE")

    def top(self) -> Iterator[Problem]:
        """Layers and Kafka."""
        for index, layer in enumerate(self.settings.layers):
            if layer == BASE:
                yield self.problem(("layers", index), "base is always the lowest layer", BASE, "only those above it")
            elif layer in self.settings.layers[:index]:
                yield self.problem(("layers", index), "a layer that stands twice", layer, "each layer once")
        kafka = self.settings.kafka
        for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
            path = getattr(kafka, name)
            if path is not None and not path.is_file():
                yield self.problem(("kafka", name), f"kafka.{name}: no such file", str(path), "a file")
        yield from self._registry()
        try:
            re.compile(kafka.pattern or "")
        except UNREADABLE as error:
            found = str(kafka.pattern)[:60]
            yield self.problem(("kafka", "pattern"), "kafka.pattern is not right", found, *unreadable(error))

    def _registry(self) -> Iterator[Problem]:
        registry, place = self.settings.kafka.schema_registry, ("kafka", "schema_registry")
        if registry is None:
            return
        path = registry.ssl_cafile
        if path is not None and not path.is_file():
            message = "kafka.schema_registry.ssl_cafile: no such file"
            yield self.problem((*place, "ssl_cafile"), message, str(path), "a file")

    def accounts(self) -> Iterator[Problem]:
        for place, account in self._accounts():
            yield from self._account(place, account)

    def _accounts(self) -> Iterator[tuple[Place, Account]]:
        """Every account, also those that destinations carry themselves."""
        for name, account in self.settings.accounts.items():
            yield ("accounts", name), account
        for name, destination in self.settings.destinations.items():
            if destination.vendor is not None:
                yield ("destinations", name), self.settings.account_of(name)[1]

    def _account(self, place: Place, account: Account) -> Iterator[Problem]:
        vendor = vendors().get(account.vendor)
        if account.base_url is not None and not re.match(r"https?://[^/\s]+", account.base_url):
            yield self.problem((*place, "base_url"), "base_url is not right", "", "https://host or https://host/path")
        if vendor is None:
            yield self.unknown((*place, "vendor"), "vendor", account.vendor, sorted(vendors()))
            return
        if account.budget is not None and vendor.cost is free:
            message = f"a budget that nothing uses up: no call to {vendor.title} costs credits"
            yield self.problem((*place, "budget"), message, "budget", "no budget here")
        if (account.batch or 1) > 1 and vendor.defaults.batch == 1:
            message = f"{vendor.title} takes one entry in a call"
            yield self.problem((*place, "batch"), message, str(account.batch), "no batch here")
        names = [secret.name for secret in vendor.secrets]
        said = self._said((*place, "credential"), names)
        for secret in vendor.secrets:
            if secret.required and secret.name not in said:
                what = f"{secret.name}: {{env: …}} or {{file: …}}"
                message = f"{vendor.title} needs {secret.name} ({secret.help})"
                yield self.problem((*place, "credential"), message, "", what)
        for name in account.credential:
            if name not in names:
                yield self.unknown((*place, "credential", name), "part of the credential", name, names)

    def secrets(self, part: Part | None) -> Iterator[Problem]:
        """Secrets that are named and not there; with `part`, of what that process needs."""
        kafka, registry = self.settings.kafka, self.settings.kafka.schema_registry
        if kafka.sasl_password:
            yield from self._secret(("kafka", "sasl_password"), "sasl_password", kafka.sasl_password)
        if registry is not None and registry.password:
            yield from self._secret(("kafka", "schema_registry", "password"), "password", registry.password)
        for place, account in self._accounts() if part != "webhooks" else ():
            vendor = vendors().get(account.vendor)
            known = {secret.name for secret in vendor.secrets} if vendor else set()
            for name in sorted(known & account.credential.keys()):
                yield from self._secret((*place, "credential", name), name, account.credential[name])
        for name, webhook in self.settings.hooked.items() if part != "worker" else ():
            yield from self._secret(("destinations", name, "webhook", "secret"), "webhook.secret", webhook.secret)

    def _secret(self, place: Place, name: str, reference: SecretRef) -> Iterator[Problem]:
        if reference.read():
            return
        if reference.env is not None:
            message, what = f"{name}: the environment variable is not set, or empty", reference.env
            yield self.problem(place, message, what, f"a value for {what}")
        else:
            message = f"{name}: the file is missing, empty or not readable"
            yield self.problem(place, message, str(reference.file), "a file with the secret in it")

    def destination(self, name: str) -> Iterator[Problem]:
        destination, place = self.settings.destinations[name], ("destinations", name)
        vendor = self._vendor(name)
        for index, omitted in enumerate(self._listed((*place, "omit"))):
            if omitted not in FIELDS:
                yield self.unknown((*place, "omit", index), "field in omit", str(omitted), FIELDS)
            elif vendor is not None and omitted in vendor.express(self.settings.options_of(name)).required:
                message, expected = f"{name} needs {omitted}", "only fields that it can do without"
                yield self.problem((*place, "omit", index), message, f"omit: {omitted}", expected)
        if destination.account is not None and destination.account not in self.settings.accounts:
            accounts = self.source.values().get("accounts")
            known = sorted(map(str, accounts)) if isinstance(accounts, dict) else []
            if destination.account not in known:
                yield self.unknown((*place, "account"), "account", destination.account, known)
        if vendor is not None:
            yield from self._options(place, destination, vendor)
            yield from self._defaults(name, place, destination, vendor)

    def webhooks(self, secrets: bool) -> Iterator[Problem]:
        """The destinations whose vendor posts to us: each has an address with its name and its secret in it."""
        for name, webhook in self.settings.hooked.items():
            place: Place = ("destinations", name, "webhook")
            vendor = self._vendor(name)
            if vendor is not None and vendor.inbound is None:
                yield self.problem(place, f"{vendor.title} has no webhooks", name, "no webhook: here")
            if not re.fullmatch(r"[A-Za-z0-9._-]{1,60}", name):
                expected = "1 to 60 of A-Z a-z 0-9 . _ -"
                yield self.problem(place, "a name that cannot stand in a webhook's address", name, expected)
            if secrets:
                yield from self._webhook_secret((*place, "secret"), webhook)

    def _webhook_secret(self, place: Place, webhook: Webhook) -> Iterator[Problem]:
        secret = webhook.secret.read()
        if secret and not re.fullmatch(r"[A-Za-z0-9._~-]{16,200}", secret):
            expected = "16 to 200 of A-Z a-z 0-9 . _ ~ -, e.g. of openssl rand -hex 24"
            yield self.problem(place, "webhook.secret is too short, or cannot stand in an address", "", expected)

    def views(self) -> dict[str, DestinationView]:
        """The destinations that can be seen, without what is wrong in their defaults."""
        return {name: self._view(name) for name in self.settings.destinations if self._vendor(name) is not None}

    def _view(self, name: str) -> DestinationView:
        destination, defaults = self.settings.destinations[name], {}
        for field_name, value in destination.defaults.items():
            try:
                defaults[field_name] = default_of(field_name, value)
            except (RenderError, ValueError):
                continue
        in_description = frozenset({"links"} if destination.links else ())
        vendor, options = self.settings.vendor_of(name), self.settings.options_of(name)
        prefix = self.settings.prefix_of(name)
        return DestinationView(name, vendor, options, destination.omit, in_description, defaults, prefix)

    def _vendor(self, name: str) -> Vendor | None:
        destination = self.settings.destinations[name]
        account = self.settings.accounts.get(destination.account) if destination.account else None
        return vendors().get((account.vendor if account else destination.vendor) or "")

    def _listed(self, place: Place) -> list[Any]:
        node = self._at(place)
        return list(node) if isinstance(node, list) else []

    def _said(self, place: Place, known: Collection[str]) -> dict[str, Any]:
        """What stands in a map, a misspelt name as what it may have meant: such a name is told where it stands."""
        node = self._at(place)
        members = node.items() if isinstance(node, Mapping) else ()
        return {name if name in known else nearest(name, known) or name: value for name, value in members}

    def _at(self, place: Place) -> Any:
        node: Any = self.source.values()
        for part in place:
            node = node.get(part) if isinstance(node, Mapping) else None
        return node

    def _options(self, place: Place, destination: Destination, vendor: Vendor) -> Iterator[Problem]:
        known = {option.name: option for option in vendor.options}
        said = self._said((*place, "options"), known)
        for option in vendor.options:
            if option.required and said.get(option.name) in (None, ""):
                message = f"{vendor.title} needs the option {option.name} ({option.help})"
                yield self.problem((*place, "options"), message, "", f"options: {{{option.name}: …}}")
        for name, value in destination.options.items():
            where = (*place, "options", name)
            if name not in known:
                yield self.unknown(where, f"option of {vendor.title}", name, sorted(known))
            elif known[name].choices and value not in known[name].choices:
                choices = known[name].choices
                expected = "one of " + ", ".join(choices)
                yield self.problem(where, f"{name} is not right", str(value), expected, suggest(str(value), choices))

    def _defaults(self, name: str, place: Place, destination: Destination, vendor: Vendor) -> Iterator[Problem]:
        expression = vendor.express(self.settings.options_of(name))
        sayable = expression.fields | destination.omit | ({"links"} if destination.links else set())
        for field_name, value in destination.defaults.items():
            where = (*place, "defaults", field_name)
            if has_braces(value):
                message, expected = f"{field_name}: defaults take no templates", "a value that holds for every event"
                yield self.problem(where, message, "{{ … }}", expected, "say it in the rules")
            elif field_name == vendor.name:
                for own in value if isinstance(value, Mapping) else ():
                    if own not in expression.own:
                        yield self.unknown((*where, own), f"field of {vendor.title}", own, sorted(expression.own))
            elif field_name not in FIELDS:
                yield self.unknown(where, "field in defaults", field_name, (*FIELDS, vendor.name))
            elif field_name not in sayable:
                expected = "one of " + ", ".join(sorted(sayable))
                yield self.problem(where, f"{name} cannot say {field_name}", field_name, expected)
            else:
                yield from self._default(where, field_name, value)
        for refusal in self._refused(name):
            section, dot, own = refusal.name.partition(".")
            where = (*place, "defaults", section, own) if dot else (*place, "defaults", section)
            yield self.problem(where, f"{name} refuses {refusal.name}", "", refusal.words)

    def _refused(self, name: str) -> Iterator[Refusal]:
        """What the vendor refuses of a destination's defaults, whatever the rules say besides."""
        view = self._view(name)
        declared = view.expression().own
        said = {field_name: value for field_name, value in view.defaults.items() if field_name in FIELDS}
        own = view.defaults.get(view.vendor.name)
        for own_name, value in own.items() if isinstance(own, Mapping) else ():
            if own_name in declared:
                said[f"{view.vendor.name}.{own_name}"] = value
        return Certain.part(said, replace(view, defaults={})).refusals()

    def _default(self, where: Place, field_name: str, value: Any) -> Iterator[Problem]:
        try:
            default_of(field_name, value)
        except (RenderError, ValueError) as error:
            expected = str(error).removeprefix("expected ")
            advice = zone_asked(value) if isinstance(error, BadZone) else ""
            yield self.problem(where, f"{field_name} is not right", repr(value)[:60], expected, advice)

"""What the configuration means to the ledger: policies, quotas, budgets. Connects to nothing, imports no client."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import TypeVar

from pipeline import dead_letters, outcomes, wording
from pipeline.ledger import Budget, Ledger, Message, Quota
from pipeline.model.blame import Answer
from pipeline.model.entry import Content
from pipeline.model.facts import Facts, Policy
from pipeline.rules.adapt import DestinationView, desired, problems_of
from pipeline.settings import Settings, views_of, windows_of
from pipeline.vendors.contract import Situation, Vendor

EVENTS_REMEMBERED = 100
"""Of one entry, while they await an outcome: an entry that changes for ever must not grow for ever."""

T = TypeVar("T")


def policies_of(settings: Settings) -> dict[str, Policy]:
    policies = {}
    for name, view in views_of(settings).items():
        account_name, account = settings.account_of(name)
        expression = view.expression()
        policies[name] = Policy(
            destination=name,
            account=account_name,
            layers=settings.all_layers,
            desired=functools.partial(desired, view=view),
            problems=functools.partial(problems_of, view=view),
            answers_for=EVENTS_REMEMBERED if settings.kafka.outcome_topic else 0,
            says_cancelled="status" in expression.fields,
            needs_identity=functools.partial(_needs_identity, view),
            recover_at_once=view.vendor.defaults.recover_at_once,
            together=_situated(wording.together, settings, name),
            batch=account.batch or view.vendor.defaults.batch,
            cost=_situated(wording.cost, settings, name),
            settle_time=account.settle_time or view.vendor.defaults.settle_time,
            max_attempts=settings.destinations[name].max_attempts,
            keep=settings.ledger.keep,
        )
    return policies


def _situated(judge: Callable[[Vendor, Situation], T], settings: Settings, name: str) -> Callable[[Facts], T]:
    """What is judged of an entry as its destination's vendor sees it."""
    vendor, options, vendor_key = settings.vendor_of(name), settings.options_of(name), vendor_keys(settings, name)
    return lambda facts: judge(vendor, Situation.of(facts, vendor_key(facts.key), options))


def _needs_identity(view: DestinationView, content: Content) -> bool:
    return view.expression(content.get("kind")).needs_identity


def quotas_of(settings: Settings) -> dict[str, Quota]:
    found = {}
    for name in settings.destinations:
        account_name, account = settings.account_of(name)
        windows = windows_of(account, settings.vendor_of(name))
        found[account_name] = Quota(account_name, tuple((window.calls, window.seconds) for window in windows))
    return found


def budgets_of(settings: Settings) -> dict[str, Budget]:
    accounts = dict(settings.account_of(name) for name in settings.destinations)
    return {
        name: Budget(name, account.budget.credits, None if account.budget.per == "month" else account.budget.per)
        for name, account in accounts.items()
        if account.budget is not None
    }


def ledger_of(settings: Settings) -> Ledger:
    dead, outcome = settings.kafka.dead_letter_topic, settings.kafka.outcome_topic
    seal = settings.seal()

    def told(facts: Facts, answer: Answer | None) -> Message:
        return outcomes.of_entry(outcome or "", facts, answer, time.time(), seal)

    return Ledger(
        settings.ledger.url,
        policies_of(settings),
        quotas_of(settings),
        lambda facts: dead_letters.of_entry(dead, facts, time.time()),
        told if outcome else None,
        budgets_of(settings),
        () if seal is None else seal.hash_keys,
    )


def vendor_keys(settings: Settings, name: str) -> Callable[[str], str]:
    """Our key → the vendor's, unique in the account."""
    return settings.prefix_of(name).__add__

"""How each destination stands, read from the ledger alone: no worker and no Kafka is asked.

What is in step is not counted, so that the answer comes at once however much there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.ledger import STATES, Counted, Hold, Ledger, Reading, RulesHold, Taken
from pipeline.ledger.draining import HORIZONS, drained_in, late_when_drained
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Standing:
    """One destination. Times are in seconds."""

    destination: str
    vendor: str
    account: str
    entries: Mapping[str, int]
    """State → entries; `idle` ones are in step and not among them."""
    oldest_ready: float | None
    """Age of the oldest event that has not reached the vendor and could."""
    quota: tuple[Taken, ...]
    """Of the account, shared with its other destinations; scarcest first."""
    budget_used: float | None
    drained_in: float | None
    """Until all that could go is sent at the quota's full rate; None: the account has no quota."""
    late_when_drained: float | None
    """By how much the latest of it then comes after it matters; 0: all in time."""
    estimated: tuple[str, ...]
    """Which of these figures are estimates: states, `drained_in`, `late_when_drained`. All others are exact."""
    holds: tuple[Hold, ...]

    @property
    def rate(self) -> float | None:
        """Calls a minute that the account now makes."""
        return self.quota[0].calls / self.quota[0].seconds * 60.0 if self.quota else None


@dataclass(frozen=True, slots=True)
class Status:
    at: float
    """Seconds since 1970 by the ledger's clock."""
    newest_rules: int | None
    """The revision of the rules that was last made; None: no worker has run yet."""
    these_rules: int | None
    """That of the rules in this configuration; None: no worker has run them, or they cannot be read."""
    rules_held: tuple[RulesHold, ...]
    """Rule sets that wait for an approval."""
    rules_read: tuple[Reading, ...]
    """What each worker runs, and why it did not take what it read last."""
    rules_taken: tuple[tuple[int, float | None], ...]
    """The newest revisions, newest first, each with when the first worker took it."""
    destinations: tuple[Standing, ...]
    outbox: int
    """Dead letters and outcomes that are not in Kafka yet."""
    refused: Mapping[str, int]
    """Topic → records among them that Kafka will not take for what they are."""
    catching_up: Mapping[str, int]
    """Topic/partition → the offset up to which a restored ledger catches up; entries are looked for at the vendor."""


def status(settings: Settings, ledger: Ledger, digest: str | None) -> Status:
    """`digest` names the rules of this configuration."""
    accounts = {name: settings.account_of(name)[0] for name in settings.destinations}
    counted, holds, taken = ledger.counted(HORIZONS), ledger.holds(), ledger.quota_taken()
    budgets = ledger.budget_used() if ledger.budgets else {}
    drained, late = (reckon(ledger, accounts, counted.urgent) for reckon in (drained_in, late_when_drained))
    newest, known = ledger.rules.known()
    rules = ledger.rules.state()
    return Status(
        at=ledger.now(),
        newest_rules=newest,
        these_rules=known.get(digest) if digest else None,
        rules_held=tuple(held for held in rules.holds if held.approved_by is None),
        rules_read=rules.readings,
        rules_taken=rules.taken,
        destinations=tuple(
            Standing(
                destination=name,
                vendor=settings.vendor_of(name).name,
                account=account,
                entries={state: counted.backlog.get((name, state), (0, None))[0] for state in STATES},
                oldest_ready=counted.backlog.get((name, "ready"), (0, None))[1],
                quota=tuple(sorted(taken.get(account, ()), key=lambda one: -one.share)),
                budget_used=budgets.get(account),
                drained_in=drained[name] if ledger.quotas[account].windows else None,
                late_when_drained=late[name] if ledger.quotas[account].windows else None,
                estimated=estimated(name, accounts, counted),
                holds=_of(name, account, holds),
            )
            for name, account in accounts.items()
        ),
        outbox=ledger.outbox_waiting(),
        refused=ledger.outbox_refused(),
        catching_up={f"{topic}/{part}": until for (topic, part), until in ledger.catching_up().items()},
    )


def estimated(destination: str, accounts: Mapping[str, str], counted: Counted) -> tuple[str, ...]:
    """What drains together is reckoned together: with the account's other destinations."""
    states = tuple(state for state in STATES if (destination, state) in counted.estimated)
    reckoned = any(accounts.get(name) == accounts[destination] for name in counted.urgent_estimated)
    return states + (("drained_in", "late_when_drained") if reckoned else ())


def _of(destination: str, account: str, holds: Sequence[Hold]) -> tuple[Hold, ...]:
    return tuple(hold for hold in holds if hold.destination == destination or hold.account == account)

"""The events, each a function: the log line and the metric are written together and cannot disagree.

Decisions are logged at info, what waits for a person at warning, what happens a thousand times a second at debug.
"""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from pipeline.advice import ANOTHER_QUOTA, MARKED, WAITING, WENT_BACK
from pipeline.model.facts import Facts
from pipeline.model.trace import kept, trace_id
from pipeline.model.wanted import Due
from pipeline.telemetry.logs import code, described
from pipeline.telemetry.metrics import CHANGES, PARTS, PROBES, SETTLED, URGENT, Metrics, drop
from pipeline.telemetry.outbox import OutboxEvents
from pipeline.telemetry.rules import RuleEvents
from pipeline.telemetry.spans import Spans
from pipeline.telemetry.webhooks import WebhookEvents


@dataclass(frozen=True, slots=True)
class GaugeRow:
    """How many entries of a destination are in a state of the ledger."""

    destination: str
    state: str
    count: int


class Telemetry:
    """One process's events. `hash_key` keys the hash under which an entry's key appears in log lines."""

    def __init__(self, hash_key: bytes, wall: Callable[[], float] = time.time) -> None:
        self._hash_key = hashlib.blake2b(hash_key, digest_size=32).digest()
        self._wall = wall
        self._metrics = Metrics()
        self._log = structlog.get_logger("calends")
        self._vendors: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._gauged: dict[tuple[str, str], None] = {}
        self._lagging: set[str] = set()
        self._tokenless: set[str] = set()
        self._holds: dict[str, set[str]] = {}
        self._answers: dict[str, str] = {}
        self.outbox = OutboxEvents(self._metrics, self._log)
        self.rules = RuleEvents(self._metrics, self._log)
        self.webhooks = WebhookEvents(self._metrics, self._log)
        self.spans = Spans(self._vendors)

    def locate(self, part: str, address: str) -> None:
        """Where a part is that may have to be waited for, without user and password."""
        self._addresses[part] = address

    def declare(self, destinations: Iterable[tuple[str, str, str]], kafka: str = "") -> None:
        """(name, vendor, account) of each destination, so that its counters stand at zero before anything happens.

        `kafka` is the brokers' address, told where they are waited for.
        """
        self._addresses["kafka"] = kafka
        metrics = self._metrics
        for part in PARTS:
            metrics.waits.labels(part)
        for name, vendor, account in destinations:
            self._vendors[name] = vendor
            for change in CHANGES:
                metrics.changes.labels(name, vendor, change)
                metrics.stale.labels(name, vendor, change)
            for outcome in ("accepted", "unconfirmed", "retry", "throttled", "unauthorized", "rejected", "unknown"):
                metrics.calls.labels(name, vendor, outcome)
            for outcome in SETTLED:
                metrics.settled.labels(name, vendor, outcome)
            for histogram in (metrics.call_seconds, metrics.call_entries, metrics.freshness):
                histogram.labels(name, vendor)
            for urgent in URGENT.values():
                metrics.lateness.labels(name, vendor, urgent)
            metrics.saved.labels(name, vendor)
            metrics.held.labels(name).set(0)
            metrics.leases.labels(name)
            metrics.pauses.labels(account)
            for outcome in PROBES:
                metrics.probes.labels(account, outcome)
            metrics.quota.labels(account).set(0)

    def key_hash(self, key: str) -> str:
        return hashlib.blake2b(key.encode(), key=self._hash_key, digest_size=8).hexdigest()

    def exposition(self) -> tuple[bytes, str]:
        """The page of `/metrics` and its content type."""
        return self._metrics.exposition()

    # Intake

    def event_unmatched(self, topic: str) -> None:
        self._metrics.unmatched.labels(topic).inc()
        self._log.debug("event unmatched", topic=topic)

    def change_applied(self, destination: str, kind: str, n: int, stale: int = 0) -> None:
        """`n` changes came to the ledger; `stale` of them were older than what it held."""
        vendor = self._vendor(destination)
        self._metrics.changes.labels(destination, vendor, kind).inc(n)
        self._metrics.stale.labels(destination, vendor, kind).inc(stale)
        self._log.debug("changes applied", destination=destination, change=kind, n=n, stale=stale)

    def record_dead(self, stage: str, reason: str, coordinates: object, parent: str | None = None) -> None:
        """`parent`: the traceparent that came with it."""
        reason = code(reason)
        self._metrics.dead.labels(stage, reason).inc()
        traced = _traced(parent)
        self._log.warning("record dead", stage=stage, reason=reason, coordinates=str(coordinates), **traced)

    def intake_batch(self, n: int, seconds: float) -> None:
        self._metrics.batch_records.observe(n)
        self._metrics.batch_seconds.observe(seconds)
        self._log.debug("batch taken in", n=n, seconds=round(seconds, 4))

    def partitions_assigned(self, partitions: Sequence[tuple[str, int]]) -> None:
        self._metrics.partitions.set(len(partitions))
        self._log.info("partitions assigned", partitions=[f"{topic}/{number}" for topic, number in partitions])

    def topics_absent(self, topics: Sequence[str], advice: str = "") -> None:
        """They are read, or written, and Kafka has none of that name, or shows it to nobody with this login."""
        self._log.warning("topics absent", topics=list(topics), **({"advice": advice} if advice else {}))

    def consumer_lag(self, records: Mapping[str, int]) -> None:
        """Topic → records of the partitions that this process reads which are not in the ledger yet."""
        for topic in self._lagging - records.keys():
            drop(self._metrics.lag, topic)
        self._lagging = set(records)
        for topic, n in records.items():
            self._metrics.lag.labels(topic).set(n)

    def ledger_went_back(self, partitions: Sequence[tuple[str, int]], entries: int) -> None:
        """Kafka's group, or this worker, knows of more than the ledger does, or the database tells of it. About so many
        `entries` are not in step and will be marked."""
        self._metrics.waits.labels("ledger_went_back").inc()
        # A process that has read nothing knows of no partition.
        read = {"partitions": [f"{topic}/{number}" for topic, number in partitions]} if partitions else {}
        self._log.warning("ledger went back", **read, entries=entries, advice=WENT_BACK)

    def entries_marked(self, entries: int, seconds: float) -> None:
        """Those of a ledger that went back."""
        self._log.warning("entries marked", n=entries, seconds=round(seconds, 3), advice=MARKED)

    # Lanes

    def call_finished(
        self,
        destination: str,
        vendor: str,
        step: str,
        outcome: str,
        seconds: float,
        entries: int,
        rows: Sequence[Facts] = (),
        answer: str = "",
    ) -> None:
        """`rows`: those that it was about, whose trace a line that is read by people names; `answer`: the status, or
        the code of why there is none."""
        self._metrics.calls.labels(destination, vendor, outcome).inc()
        self._metrics.call_seconds.labels(destination, vendor).observe(seconds)
        self._metrics.call_entries.labels(destination, vendor).observe(entries)
        good = outcome in ("accepted", "unconfirmed", "absent", "exists")
        say = self._log.debug if good else self._log.info
        say(
            "call finished",
            destination=destination,
            vendor=vendor,
            step=step,
            outcome=outcome,
            seconds=round(seconds, 4),
            entries=entries,
            **({"answer": code(answer)} if answer else {}),
            **({} if good else _traced(next((one for row in rows if (one := kept(row.raws))), None))),
        )

    def entry_settled(
        self, destination: str, outcome: str, now: float = 0.0, event: float | None = None, due: Due | None = None
    ) -> None:
        """`event` is when it happened that the vendor has accepted by `now`; `due` is when that matters."""
        vendor = self._vendor(destination)
        self._metrics.settled.labels(destination, vendor, outcome).inc()
        seconds = None if event is None else max(now - event, 0.0)
        if seconds is not None:
            self._metrics.freshness.labels(destination, vendor).observe(seconds)
        if due is not None:
            self._metrics.lateness.labels(destination, vendor, URGENT[due.urgent]).observe(max(now - due.at, 0.0))
        self._log.debug("entry settled", destination=destination, outcome=outcome, seconds=seconds)

    def entry_dead(self, destination: str, vendor: str, reason: str, key_hash: str, parent: str | None = None) -> None:
        """`parent`: the traceparent of the newest of its records."""
        self._metrics.entries_dead.labels(destination, vendor, reason).inc()
        self._metrics.dead.labels("send", reason).inc()
        traced = _traced(parent)
        self._log.warning(
            "entry dead", destination=destination, vendor=vendor, reason=reason, key_hash=key_hash, **traced
        )

    def calls_saved(self, destination: str, n: int) -> None:
        self._metrics.saved.labels(destination, self._vendor(destination)).inc(n)
        self._log.debug("calls saved", destination=destination, n=n)

    def held(self, destination: str, reason: str, since: datetime, advice: str = "", answer: str = "") -> None:
        """The lane waits for a person or a probe; for several reasons at once where several are told. `answer`: to the
        call that brought it about."""
        reason = code(reason)
        self._holds.setdefault(destination, set()).add(reason)
        self._metrics.held.labels(destination).set(1)
        self._metrics.hold_start.labels(destination, reason).set(since.timestamp())
        said = {"answer": answer} if answer else {}
        at = since.isoformat()
        self._log.warning("lane held", destination=destination, reason=reason, since=at, advice=advice, **said)

    def lifted(self, destination: str, reason: str) -> None:
        reason = code(reason)
        left = self._holds.get(destination, set())
        left.discard(reason)
        self._metrics.held.labels(destination).set(bool(left))
        drop(self._metrics.hold_start, destination, reason)
        self._log.info("lane lifted", destination=destination, reason=reason)

    def rule_held(self, destination: str, rule: str, reason: str, since: datetime, advice: str = "") -> None:
        """A rule whose entries the vendor refuses again and again waits; the others of the destination go on."""
        self._metrics.rule_hold_start.labels(destination, rule).set(since.timestamp())
        self._log.warning(
            "rule held",
            destination=destination,
            rule=rule,
            reason=code(reason),
            since=since.isoformat(),
            advice=advice,
        )

    def rule_lifted(self, destination: str, rule: str) -> None:
        drop(self._metrics.rule_hold_start, destination, rule)
        self._log.info("rule lifted", destination=destination, rule=rule)

    def paused(self, account: str, seconds: float) -> None:
        self._metrics.pauses.labels(account).inc()
        self._metrics.pause_end.labels(account).set(self._wall() + seconds)
        self._log.info("account paused", account=account, seconds=round(seconds, 3))

    def token_renewed(self, account: str, how: str, seconds: float) -> None:
        """`how` is obtain or refresh; `seconds` is what the request took."""
        self._metrics.renewals.labels(account, how).inc()
        self._metrics.renewal_seconds.labels(account).observe(seconds)
        self._metrics.token_start.labels(account).set(self._wall())
        if account in self._tokenless:
            self._tokenless.remove(account)
            drop(self._metrics.token_failing, account)
        self._log.debug("token renewed", account=account, how=how, seconds=round(seconds, 4))

    def token_failed(self, account: str, reason: str, answer: str) -> None:
        """`answer`: the token server's status, or the code of why there is none."""
        self._metrics.token_failures.labels(account, reason).inc()
        if account not in self._tokenless:
            self._tokenless.add(account)
            self._metrics.token_failing.labels(account).set(self._wall())
        self._log.warning("token failed", account=account, reason=reason, answer=code(answer))

    def secret_missing(self, account: str, name: str, why: str) -> None:
        """`name`: of the part of the account's credential; `why`: where it is looked for, and what to do."""
        self._log.error("secret missing", account=account, part=f"accounts.{account}.credential.{name}", advice=why)

    def account_probed(self, account: str, outcome: str, answer: str) -> None:
        """`answer`: the status, or the code of why there is none; another than the last time is told to people."""
        self._metrics.probes.labels(account, outcome).inc()
        known, self._answers[account] = self._answers.get(account), answer
        say = self._log.debug if answer == known else self._log.info
        say("account probed", account=account, outcome=outcome, answer=code(answer))

    # Ledger

    def lease_expired(self, destination: str, n: int) -> None:
        self._metrics.leases.labels(destination).inc(n)
        self._log.info("leases expired", destination=destination, n=n)

    def pruned(self, table: str, n: int) -> None:
        self._metrics.pruned.labels(table).inc(n)
        if n:
            self._log.info("ledger pruned", table=table, n=n)

    def claim(self, n: int, seconds: float) -> None:
        self._metrics.claim_entries.observe(n)
        self._metrics.claim_seconds.observe(seconds)
        self._log.debug("entries claimed", n=n, seconds=round(seconds, 4))

    def ledger_gauges(
        self,
        rows: Iterable[GaugeRow],
        oldest_ready_seconds: Mapping[str, float],
        drained_in_seconds: Mapping[str, float],
        drained_late_seconds: Mapping[str, float],
    ) -> None:
        """The ledger as it is: counts by destination and state; times by destination."""
        for seen in self._gauged:
            self._metrics.backlog.labels(*seen).set(0)
        for row in rows:
            self._gauged[row.destination, row.state] = None
            self._metrics.backlog.labels(row.destination, row.state).set(row.count)
        for destination in self._vendors:
            self._metrics.oldest.labels(destination).set(oldest_ready_seconds.get(destination, 0.0))
            self._metrics.drained.labels(destination).set(drained_in_seconds.get(destination, 0.0))
            self._metrics.drained_late.labels(destination).set(drained_late_seconds.get(destination, 0.0))

    def quota_gauges(self, used_share: Mapping[str, float]) -> None:
        """Quota by account, 0 to 1."""
        for account, share in used_share.items():
            self._metrics.quota.labels(account).set(share)

    def concurrency_gauges(self, limits: Mapping[str, float]) -> None:
        """Calls at once by account."""
        for account, limit in limits.items():
            self._metrics.at_once.labels(account).set(int(limit))

    def budget_gauges(self, used_share: Mapping[str, float]) -> None:
        """Credits by account, 0 to 1."""
        for account, share in used_share.items():
            self._metrics.budget.labels(account).set(share)

    # Process

    def waiting_for(self, part: str, reason: str, account: str | None = None) -> None:
        """Kafka, the ledger or a vendor is not there, or an account's quota; `reason` is a code."""
        self._metrics.waits.labels(part).inc()
        advice = WAITING.get(part, {}).get(reason)
        said = {"account": account, "address": self._addresses.get(part), "advice": advice}
        told = {name: value for name, value in said.items() if value}
        self._log.warning("waiting", part=part, reason=code(reason), **told)

    def quota_replaced(self, account: str) -> None:
        """Workers with other windows have been started: this one must not call the account."""
        self.waiting_for("quota", ANOTHER_QUOTA, account)

    def loop_failed(self, loop: str, error: BaseException) -> None:
        """A loop tripped over its own code: the type and place of the error, never its text."""
        self._metrics.waits.labels(loop).inc()
        self._log.error("loop failed", loop=loop, **described(error))

    def loop_lag(self, seconds: float) -> None:
        self._metrics.loop_lag.set(seconds)
        if seconds > 1.0:
            self._log.warning("event loop late", seconds=round(seconds, 3))

    def started(self, version: str, ledger: str = "", destinations: Sequence[str] = ()) -> None:
        self._metrics.build.labels(version).set(1)
        self._log.info(
            "started",
            version=version,
            python=platform.python_version(),
            ledger=ledger,
            destinations=list(destinations),
        )

    def certificate_read(self, setting: str, end: datetime) -> None:
        """The client certificate that a setting names, as this process uses it."""
        self._metrics.certificate_end.labels(setting).set(end.timestamp())
        self._log.info("certificate read", part=setting, until=end.isoformat())

    def stopping(self, reason: str) -> None:
        self._log.info("stopping", reason=reason)

    def stopped(self, seconds: float) -> None:
        self._log.info("stopped", seconds=round(seconds, 3))
        self.spans.close()

    def _vendor(self, destination: str) -> str:
        return self._vendors.get(destination, "")


def _traced(parent: str | None) -> dict[str, str]:
    """The field of a line that names a trace; none where there is none."""
    found = trace_id(parent)
    return {} if found is None else {"trace_id": found}

"""The metrics, all in one place. Labels come from the settings or from closed sets in the code, never from data."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics import MetricWrapperBase

CHANGES = ("upsert", "cancel", "delete")
NOTICES = ("linked", "unlinked", "seen", "accepted", "changed", "deleted", "answered", "test")
SETTLED = ("accepted", "unconfirmed", "absent", "rejected")
PARTS = ("kafka", "ledger", "quota", "schema_registry")
PROBES = ("accepted", "unauthorized", "throttled", "unknown", "not_sent")
CALL_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
BATCH_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
FRESH_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)
URGENT = {True: "yes", False: "no"}
COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Metrics:
    """One process's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._intake()
        self._sending()
        self._ledger()
        self._rules()
        self._webhooks()
        self._process()

    def exposition(self) -> tuple[bytes, str]:
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def _intake(self) -> None:
        self.unmatched = self._counter("calends_events_unmatched_total", "Events that no rule matched", "topic")
        self.changes = self._counter(
            "calends_changes_total", "Changes written to the ledger", "destination", "vendor", "change"
        )
        self.stale = self._counter(
            "calends_changes_stale_total",
            "Changes older than what the ledger held",
            "destination",
            "vendor",
            "change",
        )
        self.dead = self._counter(
            "calends_dead_letters_total", "Records and entries that wait for a person", "stage", "reason"
        )
        self.batch_records = self._histogram("calends_intake_batch_records", "Records in a batch", COUNTS)
        self.batch_seconds = self._histogram("calends_intake_batch_seconds", "From poll to ledger", BATCH_SECONDS)
        self.sent = self._counter("calends_outbox_records_total", "Records sent to Kafka", "topic")
        self.refused = self._gauge("calends_outbox_refused_records", "Records that Kafka will not take, kept", "topic")
        self.partitions = self._gauge("calends_assigned_partitions", "Partitions this process reads")
        self.lag = self._gauge("calends_consumer_lag_records", "Records of its partitions not in the ledger", "topic")

    def _sending(self) -> None:
        lane = ("destination", "vendor")
        self.calls = self._counter("calends_calls_total", "Calls to vendors by what came of them", *lane, "outcome")
        self.probes = self._counter(
            "calends_probes_total", "Probes of held accounts by what came of them", "account", "outcome"
        )
        self.call_seconds = self._histogram(
            "calends_call_duration_seconds", "From a call to its answer", CALL_SECONDS, *lane
        )
        self.call_entries = self._histogram("calends_call_entries", "Entries in a call", COUNTS, *lane)
        self.saved = self._counter("calends_calls_saved_total", "Calls that coalescing made needless", *lane)
        self.settled = self._counter("calends_entries_settled_total", "Entries whose work ended", *lane, "outcome")
        self.entries_dead = self._counter(
            "calends_entries_dead_total", "Entries that wait for a person", *lane, "reason"
        )
        self.freshness = self._histogram(
            "calends_freshness_seconds", "From the event to its acceptance by the vendor", FRESH_SECONDS, *lane
        )
        self.lateness = self._histogram(
            "calends_lateness_seconds",
            "By which an entry is accepted after it matters, 0: in time; urgent: it matters within a day of its event",
            FRESH_SECONDS,
            *lane,
            "urgent",
        )
        self.held = self._gauge("calends_lanes_held", "1 while a lane waits for a person or a probe", "destination")
        self.hold_start = self._gauge(
            "calends_hold_start_seconds", "Unix time at which the hold began", "destination", "reason"
        )
        self.rule_hold_start = self._gauge(
            "calends_rule_hold_start_seconds", "Unix time at which the hold of a rule began", "destination", "rule"
        )
        self.pause_end = self._gauge("calends_pause_end_seconds", "Unix time at which the pause ends", "account")
        self.pauses = self._counter("calends_pauses_total", "Pauses that a vendor asked for", "account")
        self.renewals = self._counter("calends_token_renewals_total", "Access tokens got", "account", "how")
        self.renewal_seconds = self._histogram(
            "calends_token_renewal_seconds", "A request for a token", CALL_SECONDS, "account"
        )
        self.token_start = self._gauge("calends_token_start_seconds", "Unix time of the newest token", "account")
        self.at_once = self._gauge("calends_concurrency_limit", "Calls at once that were found to go well", "account")
        self.token_failures = self._counter(
            "calends_token_failures_total", "Requests for a token in vain", "account", "reason"
        )
        self.token_failing = self._gauge(
            "calends_token_failing_start_seconds", "Unix time since which no request for a token succeeds", "account"
        )

    def _ledger(self) -> None:
        self.backlog = self._gauge(
            "calends_ledger_entries", "Entries by state; of many an estimate", "destination", "state"
        )
        self.oldest = self._gauge("calends_oldest_ready_seconds", "Age of the oldest ready entry", "destination")
        self.drained = self._gauge("calends_drained_in_seconds", "Until what could go is sent", "destination")
        self.drained_late = self._gauge(
            "calends_drained_late_seconds", "By which some of what could go comes after it matters", "destination"
        )
        self.quota = self._gauge("calends_quota_used_ratio", "Share of the quota in use", "account")
        self.budget = self._gauge("calends_budget_used_ratio", "Share of the period's credits used up", "account")
        self.claim_entries = self._histogram("calends_claim_entries", "Entries in a claim", COUNTS)
        self.claim_seconds = self._histogram("calends_claim_seconds", "A claim's transaction", BATCH_SECONDS)
        self.pruned = self._counter("calends_ledger_pruned_rows_total", "Rows that were old enough to go", "table")
        self.leases = self._counter("calends_leases_expired_total", "Leases that ran out", "destination")

    def _rules(self) -> None:
        self.rules_revision = self._gauge("calends_rules_revision", "The revision of the rules that this process runs")
        self.reloads = self._counter("calends_rules_reloads_total", "Readings of the rules", "outcome")
        self.rules_refused = self._gauge("calends_rules_refused", "1 while the files hold rules that were refused")
        self.rules_held = self._gauge("calends_rules_held", "1 while the files hold rules that wait for an approval")
        for outcome in ("loaded", "unchanged", "refused", "held"):
            self.reloads.labels(outcome)

    def _webhooks(self) -> None:
        self.notices = self._counter(
            "calends_webhook_notices_total", "Notices of vendors made durable in Kafka", "destination", "kind"
        )
        self.repeats = self._counter("calends_webhook_repeats_total", "Notices that had come before", "destination")
        self.refusals = self._counter(
            "calends_webhook_refusals_total", "Posts that were not taken", "destination", "reason"
        )

    def _process(self) -> None:
        self.waits = self._counter("calends_waits_total", "Waits for something that is not there", "part")
        self.loop_lag = self._gauge("calends_loop_lag_seconds", "How late the event loop comes to what is due")
        self.build = self._gauge("calends_build_info", "1, with the version", "version")
        self.certificate_end = self._gauge(
            "calends_certificate_end_seconds", "Unix time at which a client certificate ends", "setting"
        )
        ProcessCollector(registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)


def drop(metric: MetricWrapperBase, *values: str) -> None:
    """Forgets the series whose first labels are `values`."""
    for labels in [sample.labels for family in metric.collect() for sample in family.samples]:
        row = tuple(labels.values())
        if row[: len(values)] == values:
            metric.remove(*row)

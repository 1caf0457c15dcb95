"""The workers themselves: what they read, what the ledger costs them, how they are."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.models import dashboard as grafana

from helm.dashboards.panels import (
    INSTANCE,
    bad_above,
    bad_below,
    choice,
    figure,
    frame,
    lines,
    numbered,
    quantiles,
    query,
    rows,
)

RATE = f"{{{INSTANCE}}}[$__rate_interval]"


def build() -> grafana.Dashboard:
    board = frame(
        "worker",
        "Kafka lag, batches, ledger, loop lag, memory.",
        choice("instance", "Worker", "calends_build_info"),
    )
    for part in (_reading, _kafka, _ledger, _rules, _webhooks, _process):
        part(board)
    return numbered(board)


def _reading(board: Dashboard) -> None:
    board.with_row(Row("Does it read?"))
    board.with_panel(
        figure(
            "Workers",
            "short",
            "CalendsAbsent",
            "Processes that Prometheus reaches, receivers of webhooks among them.",
            query(f"count(calends_build_info{{{INSTANCE}}})", "workers"),
        )
    )
    board.with_panel(
        figure(
            "Partitions that are read",
            "short",
            "CalendsNothingRead",
            "By all workers together; it should be the number of partitions that the topics have.",
            query(f"sum(calends_assigned_partitions{{{INSTANCE}}})", "partitions"),
        )
    )
    board.with_panel(
        figure(
            "Kafka lag",
            "short",
            "CalendsConsumerStuck",
            "Records in the log that are not in the ledger yet.",
            query(f"sum(calends_consumer_lag_records{{{INSTANCE}}})", "records"),
        ).thresholds(bad_above(10_000, 1_000_000))
    )
    board.with_panel(
        figure(
            "Loop lag",
            "s",
            "CalendsConsumerStuck",
            "How late the event loop of the worst worker comes to what is due. Above a second it does not keep up.",
            query(f"max(calends_loop_lag_seconds{{{INSTANCE}}})", "worst"),
        ).thresholds(bad_above(0.25, 1))
    )


def _kafka(board: Dashboard) -> None:
    board.with_row(Row("Kafka"))
    board.with_panel(
        lines(
            "Lag by topic",
            "short",
            "CalendsConsumerStuck",
            "Records that are not in the ledger yet. Growing while batches come: too slow. No batches: stuck.",
            query(f"sum by (topic) (calends_consumer_lag_records{{{INSTANCE}}})", "{{topic}}"),
        )
    )
    board.with_panel(
        lines(
            "Records read",
            "recps",
            "CalendsConsumerStuck",
            "Records that reached the ledger, and those that no rule matched.",
            query(f"sum by (instance) (rate(calends_intake_batch_records_sum{RATE}))", "{{instance}}"),
            query(f"sum by (topic) (rate(calends_events_unmatched_total{RATE}))", "unmatched in {{topic}}"),
        )
    )
    board.with_panel(
        lines(
            "Batch duration",
            "s",
            "CalendsLedgerUnreachable",
            "From poll to ledger. It is mostly the ledger's.",
            *quantiles("calends_intake_batch_seconds", INSTANCE, "le", "", 0.5, 0.99),
            width=8,
        )
    )
    board.with_panel(
        lines(
            "Records in a batch",
            "short",
            "CalendsConsumerStuck",
            "Few is idle; the most is 500.",
            *quantiles("calends_intake_batch_records", INSTANCE, "le", "", 0.5, 0.99),
            width=8,
        )
    )
    board.with_panel(
        lines(
            "Partitions by worker",
            "short",
            "CalendsNothingRead",
            "Steps are rebalances.",
            query(f"sum by (instance) (calends_assigned_partitions{{{INSTANCE}}})", "{{instance}}"),
            width=8,
        )
    )
    board.with_panel(
        lines(
            "Records written to Kafka",
            "recps",
            "CalendsOutboxRefused",
            "Dead letters and outcomes that left the outbox, by topic.",
            query(f"sum by (topic) (rate(calends_outbox_records_total{RATE}))", "{{topic}}"),
        )
    )
    board.with_panel(
        lines(
            "Records that Kafka refuses",
            "short",
            "CalendsOutboxRefused",
            "Kept in the ledger and tried again every five minutes. None is good.",
            query(f"max by (topic) (calends_outbox_refused_records{{{INSTANCE}}})", "{{topic}}"),
        )
    )


def _ledger(board: Dashboard) -> None:
    board.with_row(Row("What does it wait for?"))
    board.with_panel(
        lines(
            "Waits",
            "cps",
            "CalendsLedgerUnreachable",
            "For Kafka, the ledger, the schema registry; any other is a loop that tripped over its code: see the log.",
            query(f"sum by (part) (rate(calends_waits_total{RATE})) > 0", "{{part}}"),
        )
    )
    board.with_panel(
        lines(
            "Claim duration",
            "s",
            "CalendsLedgerUnreachable",
            "The transaction that takes work and quota. Milliseconds; more is the database's.",
            *quantiles("calends_claim_seconds", INSTANCE, "le", "", 0.5, 0.99),
        )
    )
    board.with_panel(
        lines(
            "Entries in a claim",
            "short",
            "CalendsNotDrained",
            "Calls that one claim found work and quota for.",
            *quantiles("calends_claim_entries", INSTANCE, "le", "", 0.5, 0.99),
        )
    )
    board.with_panel(
        lines(
            "Rows pruned",
            "rowsps",
            "CalendsLedgerUnreachable",
            "Rows that were older than `ledger.keep`, by table.",
            query(f"sum by (table) (rate(calends_ledger_pruned_rows_total{RATE}))", "{{table}}"),
        )
    )


def _rules(board: Dashboard) -> None:
    board.with_row(Row("Which rules does it run?"))
    board.with_panel(
        rows(
            "Version and worker",
            "short",
            "CalendsAbsent",
            "Each process with its version. Two versions are a rolling update, or one that stopped half-way.",
            query(f"calends_build_info{{{INSTANCE}}}", "{{instance}} {{version}}", instant=True),
            width=8,
        )
    )
    board.with_panel(
        lines(
            "Revision of the rules",
            "short",
            "CalendsRulesNotTaken",
            "All workers should run the same.",
            query(f"max by (instance) (calends_rules_revision{{{INSTANCE}}})", "{{instance}}"),
            width=8,
        )
    )
    board.with_panel(
        lines(
            "Rules that were not taken",
            "short",
            "CalendsRulesNotTaken",
            "1 while the files hold rules that are wrong, or that wait for `calends approve`.",
            query(f"max(calends_rules_refused{{{INSTANCE}}})", "refused"),
            query(f"max(calends_rules_held{{{INSTANCE}}})", "held"),
            query(f"sum(increase(calends_rules_reloads_total{RATE}))", "read anew"),
            width=8,
        )
    )


def _webhooks(board: Dashboard) -> None:
    board.with_row(Row("What do vendors tell?"))
    board.with_panel(
        lines(
            "Notices",
            "cps",
            "CalendsKafkaUnreachable",
            "What `calends webhooks` made durable in Kafka, by kind, and what had come before.",
            query(
                f"sum by (destination, kind) (rate(calends_webhook_notices_total{RATE})) > 0",
                "{{destination}} {{kind}}",
            ),
            query(f"sum by (destination) (rate(calends_webhook_repeats_total{RATE})) > 0", "{{destination}} repeated"),
        )
    )
    board.with_panel(
        lines(
            "Posts that were refused",
            "cps",
            "CalendsKafkaUnreachable",
            "By reason. Who knocks without the secret is refused, which is no reason to worry.",
            query(
                f"sum by (reason) (rate(calends_webhook_refusals_total{RATE}))",
                "{{reason}}",
            ),
        )
    )


def _process(board: Dashboard) -> None:
    board.with_row(Row("How is the process?"))
    board.with_panel(
        figure(
            "Certificates end in",
            "s",
            "CalendsCertificateEnds",
            "Of the client certificates that the settings name, as the worst worker uses them. Empty: there are none.",
            query(f"min by (setting) (calends_certificate_end_seconds{{{INSTANCE}}}) - time()", "{{setting}}"),
        ).thresholds(bad_below(3 * 86_400, 14 * 86_400))
    )
    board.with_panel(
        figure(
            "Open files",
            "short",
            "CalendsConsumerStuck",
            "Of the worker that has most. Connections among them; it stays as it is.",
            query(f"max(process_open_fds{{{INSTANCE}}} and on (instance) calends_build_info)", "worst"),
        )
    )
    board.with_panel(
        lines(
            "Memory",
            "bytes",
            "CalendsConsumerStuck",
            "Resident. It does not grow with the backlog.",
            query(f"process_resident_memory_bytes{{{INSTANCE}}} and on (instance) calends_build_info", "{{instance}}"),
            width=12,
        )
    )
    board.with_panel(
        lines(
            "CPU",
            "percentunit",
            "CalendsConsumerStuck",
            "Of one core. A worker is one process: near 100 % it is at its end, and another one helps.",
            query(
                f"rate(process_cpu_seconds_total{RATE}) and on (instance) calends_build_info",
                "{{instance}}",
            ),
            width=8,
        )
    )
    board.with_panel(
        lines(
            "Loop lag by worker",
            "s",
            "CalendsConsumerStuck",
            "How late the event loop comes to what is due.",
            query(f"calends_loop_lag_seconds{{{INSTANCE}}}", "{{instance}}"),
            width=8,
        )
    )

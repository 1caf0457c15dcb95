"""One destination, or several: what its quota allows, what its calls come to, how long a backlog takes."""

from __future__ import annotations

from helm.dashboards.panels import (
    ACCOUNT,
    DESTINATION,
    bad_above,
    bars,
    board,
    choice,
    figure,
    lines,
    quantiles,
    query,
    rows,
    section,
    spread,
    stacked,
)

RATE = f"{{{DESTINATION}}}[$__rate_interval]"

BOARD = board(
    "destination",
    "Quota used, outcomes, latency, tokens, time until drained.",
    [
        choice("destination", "Destination", "calends_lanes_held"),
        choice("account", "Account", "calends_quota_used_ratio"),
    ],
    section(
        "What may it do?",
        bars(
            "Quota used",
            "percentunit",
            "CalendsNotDrained",
            "Of each account's scarcest window, the share that is taken now. Full is good while there is a backlog.",
            query(f"max by (account) (calends_quota_used_ratio{{{ACCOUNT}}})", "{{account}}"),
            width=6,
        ),
        lines(
            "Credits used",
            "percentunit",
            "CalendsBudgetNearlySpent",
            "Of the period's budget, for accounts that have one. At 100 % nothing is sent until the next period.",
            query(f"max by (account) (calends_budget_used_ratio{{{ACCOUNT}}})", "{{account}}"),
            width=6,
        ),
        lines(
            "Pauses that the vendor asked for",
            "short",
            "CalendsQuotaTooHigh",
            "429 and Retry-After, in half an hour. Within a right quota there are none.",
            query(f"max by (account) (increase(calends_pauses_total{{{ACCOUNT}}}[30m]))", "{{account}}"),
            width=6,
        ),
        lines(
            "Calls at once",
            "short",
            "CalendsQuotaTooHigh",
            "What the workers have found to go well, together. A vendor that throttles or fails is given fewer.",
            query(f"sum by (account) (calends_concurrency_limit{{{ACCOUNT}}})", "{{account}}"),
            width=6,
        ),
    ),
    section(
        "How far behind is it?",
        figure(
            "Time until drained",
            "s",
            "CalendsNotDrained",
            "What is ready, at the full rate of the quota.",
            query(f"max by (destination) (calends_drained_in_seconds{{{DESTINATION}}})", "{{destination}}"),
            width=12,
        ).thresholds(bad_above(3600, 14400)),
        figure(
            "Held since",
            "s",
            "CalendsLaneHeld",
            "How long each hold lasts; none is good.",
            query(
                f"time() - max by (destination, reason) (calends_hold_start_seconds{{{DESTINATION}}})",
                "{{destination}}: {{reason}}",
            ),
            width=12,
        ).thresholds(bad_above(60, 900)),
        stacked(
            "Entries by state",
            "short",
            "CalendsNotDrained",
            "All entries of the destination that are not in step.",
            query(
                f'max by (destination, state) (calends_ledger_entries{{{DESTINATION}, state!="idle"}})',
                "{{destination}} {{state}}",
            ),
        ),
        lines(
            "Freshness",
            "s",
            "CalendsLateFast",
            "From an event to its acceptance by the vendor.",
            *quantiles("calends_freshness_seconds", DESTINATION, "destination, le", "{{destination}}", 0.5, 0.9, 0.99),
        ),
        lines(
            "Late when drained",
            "s",
            "CalendsNotDrained",
            "By how much some of what is ready will come after it matters, at the full rate of the quota.",
            query(f"max by (destination) (calends_drained_late_seconds{{{DESTINATION}}})", "{{destination}}"),
        ),
        lines(
            "Oldest entry that could be sent",
            "s",
            "CalendsLateFast",
            "Age of the oldest event that has not reached the vendor and could.",
            query(f"max by (destination) (calends_oldest_ready_seconds{{{DESTINATION}}})", "{{destination}}"),
        ),
    ),
    section(
        "What do its calls come to?",
        stacked(
            "Calls by outcome",
            "reqps",
            "CalendsLaneHeld",
            "`throttled`: the quota is too high; `unauthorized`: the credential; `unknown`: an answer was lost.",
            query(
                f"sum by (destination, outcome) (rate(calends_calls_total{RATE})) > 0", "{{destination}} {{outcome}}"
            ),
        ),
        lines(
            "Call duration",
            "s",
            "CalendsNotDrained",
            "From a call to its answer.",
            *quantiles("calends_call_duration_seconds", DESTINATION, "destination, le", "{{destination}}", 0.5, 0.99),
        ),
        spread(
            "Call duration, spread",
            "s",
            "CalendsNotDrained",
            "A column is an interval, a row a bucket, the colour how many calls. Two bands are two kinds of call.",
            "calends_call_duration_seconds",
            DESTINATION,
        ),
        lines(
            "Entries given up",
            "cps",
            "CalendsDeadLetters",
            "Entries that wait for a person, by the vendor's reason.",
            query(
                f"sum by (destination, reason) (rate(calends_entries_dead_total{RATE}))", "{{destination}} {{reason}}"
            ),
        ),
    ),
    section(
        "What does it save?",
        lines(
            "Calls saved",
            "reqps",
            "CalendsNotDrained",
            "Changes that were merged before they were sent, so that no call was needed.",
            query(f"sum by (destination) (rate(calends_calls_saved_total{RATE}))", "{{destination}}"),
            width=8,
        ),
        lines(
            "Entries in a call",
            "short",
            "CalendsNotDrained",
            "On average. Above 1 only where the vendor takes several.",
            query(
                f"sum by (destination) (rate(calends_call_entries_sum{RATE}))"
                f" / sum by (destination) (rate(calends_call_entries_count{RATE}))",
                "{{destination}}",
            ),
            width=8,
        ),
        lines(
            "Leases that ran out",
            "cps",
            "CalendsLaneHeld",
            "Calls whose worker died or was frozen: each is looked for at the vendor before it is repeated.",
            query(f"sum by (destination) (rate(calends_leases_expired_total{RATE}))", "{{destination}}"),
            width=8,
        ),
    ),
    section(
        "Is it let in?",
        lines(
            "Age of the token",
            "s",
            "CalendsTokenRefused",
            "Of the newest access token, for accounts that have such. It falls at each renewal.",
            query(f"time() - max by (account) (calends_token_start_seconds{{{ACCOUNT}}})", "{{account}}"),
            width=8,
        ),
        lines(
            "Requests for a token",
            "reqps",
            "CalendsTokenRefused",
            "Got, and in vain with the reason.",
            query(
                f"sum by (account, how) (rate(calends_token_renewals_total{{{ACCOUNT}}}[$__rate_interval]))",
                "{{account}} {{how}}",
            ),
            query(
                f"sum by (account, reason) (rate(calends_token_failures_total{{{ACCOUNT}}}[$__rate_interval]))",
                "{{account}} {{reason}}",
            ),
            width=8,
        ),
        lines(
            "Token request duration",
            "s",
            "CalendsTokenRefused",
            "A request that got a token, from its start to its answer.",
            *quantiles("calends_token_renewal_seconds", ACCOUNT, "account, le", "{{account}}", 0.5, 0.99),
            width=8,
        ),
        rows(
            "Pauses now",
            "s",
            "CalendsQuotaTooHigh",
            "Accounts that a vendor asked to be left alone, and for how long yet. Below zero: it is over.",
            query(f"max by (account) (calends_pause_end_seconds{{{ACCOUNT}}}) - time()", "{{account}}", instant=True),
            width=8,
        ),
        stacked(
            "Probes",
            "reqps",
            "CalendsLaneHeld",
            "Of held accounts. `unknown`: an error, or no answer; `not_sent`: no connection, or no token.",
            query(
                f"sum by (account, outcome) (rate(calends_probes_total{{{ACCOUNT}}}[$__rate_interval])) > 0",
                "{{account}} {{outcome}}",
            ),
            width=8,
        ),
        rows(
            "No token since",
            "s",
            "CalendsTokenRefused",
            "Accounts for which no request for a token succeeds, and for how long.",
            query(
                f"time() - min by (account) (calends_token_failing_start_seconds{{{ACCOUNT}}})",
                "{{account}}",
                instant=True,
            ),
            width=8,
        ),
    ),
)

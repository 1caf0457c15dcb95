"""Are people's calendars right? What whoever is woken looks at first."""

from __future__ import annotations

from helm.dashboards.panels import (
    DESTINATION,
    bad_above,
    bad_below,
    board,
    choice,
    figure,
    lines,
    quantiles,
    query,
    rows,
    section,
    stacked,
)

UNSETTLED = 'state!="idle"'
RATE = f"{{{DESTINATION}}}[$__rate_interval]"
LATE = "calends:late:ratio_rate"

BOARD = board(
    "overview",
    "Are people's calendars right? Freshness, backlog, dead letters, holds.",
    [choice("destination", "Destination", "calends_lanes_held")],
    section(
        "Are people's calendars right?",
        figure(
            "In time, last hour",
            "percentunit",
            "CalendsLateFast",
            "Of what was accepted, the share there within five minutes of when it matters. The objective: 99 %.",
            query(f"1 - max by (destination) ({LATE}1h{{{DESTINATION}}})", "{{destination}}"),
        ).thresholds(bad_below(0.94, 0.99)),
        figure(
            "Oldest entry that could be sent",
            "s",
            "CalendsLateFast",
            "Age of the oldest event that has not reached the vendor and could. Minutes are a backlog.",
            query(f"max by (destination) (calends_oldest_ready_seconds{{{DESTINATION}}})", "{{destination}}"),
        ).thresholds(bad_above(60, 300)),
        figure(
            "Held lanes",
            "short",
            "CalendsLaneHeld",
            "Destinations that wait for a person or a probe. The reasons stand below.",
            query(f"sum(max by (destination) (calends_lanes_held{{{DESTINATION}}}))", "held"),
        ).thresholds(bad_above(1, 1)),
        figure(
            "Dead letters, last hour",
            "short",
            "CalendsDeadLetters",
            "Records and entries that were given up and wait for a person.",
            query("sum(increase(calends_dead_letters_total[1h]))", "dead"),
        ).thresholds(bad_above(1, 100)),
        rows(
            "Alerts that fire",
            "short",
            "CalendsLateFast",
            "By name; the runbook of each is named like it. Nothing here is good.",
            query('ALERTS{alertname=~"Calends.*", alertstate="firing"}', "{{alertname}}", instant=True),
        ),
        rows(
            "Held, for how long and why",
            "s",
            "CalendsLaneHeld",
            "Each hold of a destination with its age and reason.",
            query(
                f"time() - max by (destination, reason) (calends_hold_start_seconds{{{DESTINATION}}})",
                "{{destination}} {{reason}}",
                instant=True,
            ),
        ),
    ),
    section(
        "How late?",
        lines(
            "Freshness",
            "s",
            "CalendsLateFast",
            "From an event to its acceptance by the vendor: half of all, and all but one in a hundred.",
            *quantiles("calends_freshness_seconds", DESTINATION, "destination, le", "{{destination}}", 0.5, 0.99),
        ),
        lines(
            "Late",
            "s",
            "CalendsLateFast",
            "By how much it came after it mattered, all but one in a hundred. Urgent: what matters within a day.",
            *quantiles(
                "calends_lateness_seconds",
                DESTINATION,
                "destination, urgent, le",
                "{{destination}}, urgent: {{urgent}}",
                0.99,
            ),
        ),
        lines(
            "How fast the allowance burns",
            "short",
            "CalendsLateSlow",
            "1 is the one per cent that may be five minutes late. 14.4 (5m and 1h) or 6 (30m and 6h) is a page.",
            *(
                query(f"max by (destination) ({LATE}{window}{{{DESTINATION}}}) / 0.01", f"{{{{destination}}}} {window}")
                for window in ("5m", "1h", "6h")
            ),
        ),
    ),
    section(
        "What waits?",
        stacked(
            "Entries that are not in step",
            "short",
            "CalendsNotDrained",
            "`ready` could go now; `held` waits for a time, `waiting` for a link or its base, `dead` for a person.",
            query(
                f"sum by (state) (max by (destination, state) (calends_ledger_entries{{{DESTINATION}, {UNSETTLED}}}))",
                "{{state}}",
            ),
        ),
        lines(
            "Ready entries",
            "short",
            "CalendsNotDrained",
            "What could be sent now, by destination.",
            query(
                f'max by (destination) (calends_ledger_entries{{{DESTINATION}, state="ready"}})',
                "{{destination}}",
            ),
        ),
        lines(
            "Time until drained",
            "s",
            "CalendsNotDrained",
            "What is ready, at the full rate of the quota. A hold is not reckoned in.",
            query(f"max by (destination) (calends_drained_in_seconds{{{DESTINATION}}})", "{{destination}}"),
        ),
        rows(
            "Rules that are held",
            "s",
            "CalendsRuleHeld",
            "Rules whose entries a vendor refuses again and again, and since when. Other rules go on.",
            query(
                f"time() - max by (destination, rule) (calends_rule_hold_start_seconds{{{DESTINATION}}})",
                "{{destination}} {{rule}}",
                instant=True,
            ),
        ),
    ),
    section(
        "What comes and what goes?",
        lines(
            "Changes that came in",
            "cps",
            "CalendsNothingRead",
            "Changes that the rules asked for and the ledger took. None, though events are published: nothing is read.",
            query(
                f"sum by (destination) (rate(calends_changes_total{RATE}))",
                "{{destination}}",
            ),
        ),
        lines(
            "Entries settled",
            "cps",
            "CalendsLaneHeld",
            "Entries whose work ended, by what came of it. Fewer than changes: repeats are merged.",
            query(
                f"sum by (destination, outcome) (rate(calends_entries_settled_total{RATE}))",
                "{{destination}} {{outcome}}",
            ),
        ),
        lines(
            "Dead letters",
            "cps",
            "CalendsDeadLetters",
            "By stage (decode, rule, ledger, send) and reason.",
            query(
                "sum by (stage, reason) (rate(calends_dead_letters_total[$__rate_interval]))", "{{stage}} {{reason}}"
            ),
        ),
        lines(
            "Changes that were old",
            "cps",
            "CalendsLateFast",
            "Changes older than what the ledger held: redelivery and disorder. They do no harm.",
            query(
                f"sum by (destination) (rate(calends_changes_stale_total{RATE}))",
                "{{destination}}",
            ),
        ),
    ),
)

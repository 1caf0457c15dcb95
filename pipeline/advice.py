"""What a person can do, by the code of what is wrong."""

from __future__ import annotations

from collections.abc import Mapping

NO_ANSWER = "no_answer"
"""Of a ledger that takes connections and is silent."""
TO_MIGRATE = "tables_are_old.run_calends_migrate"
"""Of a ledger whose tables are not those of this version, until somebody has done so."""
ANOTHER_QUOTA = "another_quota_is_in_force"
"""Of an account that workers with other windows call."""

WENT_BACK = (
    "nothing: entries are marked, records read again, and what is marked is looked for at the vendor before it is made"
)
"""Of a ledger that is an older copy."""
MARKED = "calends status says up to which offset records are read again; then lanes go on"
"""Of its entries once they are marked."""

OUTBOX: Mapping[str, str] = {
    "MessageSizeTooLargeError": "raise max.message.bytes of the topic; the record is kept and sent again",
    "InvalidTopicError": "name a topic that Kafka accepts",
    "no_such_topic": "make the topic, or correct its name in kafka.dead_letter_topic or kafka.outcome_topic; "
    "what is kept is sent within five minutes",
    "no_key": "put the key that it was written with back into the key file",
}
"""Of a record that Kafka refuses."""

LEDGER: Mapping[str, str] = {
    "cannot_open": "let the worker's user read and write the file of ledger.url, and its folder",
    "disk_full": "make room on the database's disk",
    "locked": "end what holds the database's locks: a backup, a session left open",
    NO_ANSWER: "it takes connections and is silent: see whether its host or disk hangs",
    "no_privilege": "grant the user of ledger.url all on the schema's tables",
    "no_such_database": "create it, or correct the name in ledger.url",
    "no_such_folder": "make the folder, or correct ledger.url",
    "no_such_user": "create the user, or correct ledger.url",
    "not_a_database": "put the ledger's file back, or correct ledger.url",
    "not_let_in": "let this host and user in, in pg_hba.conf",
    "read_only": "name the primary in ledger.url; a file must be writable",
    "refused": "start the database, or correct host and port in ledger.url",
    "starting": "wait: it starts, stops or recovers",
    TO_MIGRATE: "run calends migrate",
    "timeout": "see whether it is overloaded, or a firewall drops what is sent to it",
    "tls": "make sslmode and certificates of ledger.url fit the server's",
    "too_many_connections": "raise max_connections; each worker takes at most 16",
    "unknown_host": "correct the host in ledger.url, or the name service",
    "unreachable": "open the way to it: routes, firewalls, network policies",
    "wrong_password": "correct the password in ledger.url",
}
"""Of a ledger that is waited for."""

WAITING: Mapping[str, Mapping[str, str]] = {
    "ledger": LEDGER,
    "quota": {ANOTHER_QUOTA: "restart it with their settings, or end them: its own quota is in force seconds later"},
}
"""Of each part that is waited for."""


def of_ledger(code: str) -> str:
    """The code, and what to do where that is known."""
    return f"{code}: {LEDGER[code]}" if code in LEDGER else code

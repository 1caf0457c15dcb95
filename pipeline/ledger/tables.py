"""The ledger's tables. Documents are canonical JSON text: what is compared is their hash, never the document."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TextClause,
    text,
)

metadata = MetaData()

Name = String().with_variant(Text(collation="C"), "postgresql")
"""Text that is sorted and compared by its bytes on both databases."""

offsets = Table(
    "offsets",
    metadata,
    Column("topic", Name, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("unsure_until", BigInteger),
    Column("marked_until", BigInteger),
    PrimaryKeyConstraint("topic", "partition"),
)

entries = Table(
    "entries",
    metadata,
    Column("destination", Name, nullable=False),
    Column("key", Name, nullable=False),
    Column("layers", Text, nullable=False),
    Column("raws", Text, nullable=False),
    Column("group_name", Name),
    Column("events", Text),
    Column("desired", Text),
    Column("desired_hash", String, nullable=False),
    Column("event_time", Double),
    Column("subscriber", Name),
    Column("identity", String),
    Column("linked", Boolean, nullable=False),
    Column("skip_unsent", Boolean, nullable=False),
    Column("wait_until", Double),
    Column("deliver_at", Double),
    Column("expires_at", Double),
    Column("rank", Double, nullable=False),
    Column("observed", Text),
    Column("observed_hash", String, nullable=False),
    Column("observed_identity", String),
    Column("vendor_id", String),
    Column("quiet_until", Double),
    Column("quiet_hash", String),
    Column("absent", Boolean, nullable=False),
    Column("candidates", Text),
    Column("epoch", Integer, nullable=False),
    Column("lease_owner", String),
    Column("lease_until", Double),
    Column("sent_hash", String),
    Column("sent", Text),
    Column("batch_limit", Integer),
    Column("attempts", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failed_at", Double),
    Column("first_failed_at", Double),
    Column("expiries", Integer, nullable=False),
    Column("retry_at", Double),
    Column("rejected_hash", String),
    Column("error", String),
    Column("state", String, nullable=False),
    Column("wake_at", Double),
    Column("prune_at", Double),
    PrimaryKeyConstraint("destination", "key"),
)
READY = text("state = 'ready'")
HELD = text("state = 'held'")
UNSETTLED = text("state <> 'idle'")
"""Said in full, so that both databases see that the index of these rows will do."""
UNSURE = text("observed_hash = '?' and state <> 'idle'")


def _index_where(name: str, where: TextClause, *columns: Column[Any]) -> None:
    Index(name, *columns, postgresql_where=where, sqlite_where=where)


_index_where("entries_ready", READY, entries.c.destination, entries.c.rank)
_index_where("entries_wake", text("wake_at is not null"), entries.c.wake_at)
_index_where("entries_unsettled", UNSETTLED, entries.c.destination, entries.c.state, entries.c.event_time)
_index_where("entries_unsure", UNSURE, entries.c.destination, entries.c.state, entries.c.rank)
_index_where("entries_prune", text("prune_at is not null"), entries.c.prune_at)
Index("entries_subscriber", entries.c.destination, entries.c.subscriber)
_index_where("entries_group", text("group_name is not null"), entries.c.destination, entries.c.group_name)

groups = Table(
    "groups",
    metadata,
    Column("destination", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("roster", Text),
    Column("written_at", Double, nullable=False),
    PrimaryKeyConstraint("destination", "name"),
)

directory = Table(
    "directory",
    metadata,
    Column("destination", Name, nullable=False),
    Column("subscriber", Name, nullable=False),
    Column("identity", String),
    Column("version", Text),
    PrimaryKeyConstraint("destination", "subscriber"),
)

Index("directory_identity", directory.c.destination, directory.c.identity)

tokens = Table(
    "tokens",
    metadata,
    Column("account", Name, nullable=False),
    Column("quota_window", String, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("free_at", Double, nullable=False),
    PrimaryKeyConstraint("account", "quota_window", "slot"),
    postgresql_with={"fillfactor": "50"},
)

accounts = Table(
    "accounts",
    metadata,
    Column("name", Name, primary_key=True),
    Column("paused_since", Double),
    Column("paused_until", Double),
    Column("held", String),
    Column("held_since", Double),
    Column("probe_at", Double),
    Column("probes", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("refusals", Integer, nullable=False, server_default="0"),
    Column("good_since", Double),
    Column("spent", Double),
    Column("period_start", Double),
    Column("spent_since", Double),
    Column("spent_until", Double),
    Column("quotas", Text),
    Column("quota_seen", Double),
    Column("answer", Text),
)

holds = Table(
    "holds",
    metadata,
    Column("destination", Name, nullable=False),
    Column("rule", Name, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("since", Double),
    Column("refused", Integer, nullable=False),
    Column("try_at", Double),
    Column("detail", Text, nullable=False),
    PrimaryKeyConstraint("destination", "rule", "revision"),
)

rulesets = Table(
    "rulesets",
    metadata,
    Column("revision", Integer, primary_key=True, autoincrement=True),
    Column("digest", String, nullable=False, unique=True),
    Column("at", Double),
    Column("rules", Text),
)

rule_holds = Table(
    "rule_holds",
    metadata,
    Column("digest", String, primary_key=True),
    Column("reason", String, nullable=False),
    Column("ended", Integer, nullable=False),
    Column("live", Integer, nullable=False),
    Column("at", Double, nullable=False),
    Column("approved_by", String),
)

rule_readings = Table(
    "rule_readings",
    metadata,
    Column("worker", String, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("at", Double, nullable=False),
    Column("refused", Text),
    Column("problems", Integer, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("topic", String, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", Text, nullable=False),
    Column("refused", String),
    Column("try_at", Double),
    Column("sealed", Boolean),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("destination", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("outcome", String, nullable=False),
)

letters = Table(
    "letters",
    metadata,
    Column("topic", Name, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("record", BigInteger, nullable=False),
    Column("became", String, nullable=False),
    Column("at", Double, nullable=False),
    PrimaryKeyConstraint("topic", "partition", "record"),
)

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("destination", Name, primary_key=True),
    Column("began", Double, nullable=False),
    Column("ended", Double),
    Column("seen", Text, nullable=False),
)

drift = Table(
    "drift",
    metadata,
    Column("destination", Name, nullable=False),
    Column("key", Name, nullable=False),
    Column("kind", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("at", Double, nullable=False),
    Column("became", String),
    PrimaryKeyConstraint("destination", "key", "kind"),
)

forgotten = Table(
    "forgotten",
    metadata,
    Column("mark", Name, primary_key=True),
    Column("at", Double, nullable=False),
)

forgetting_keys = Table(
    "forgetting_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", LargeBinary, nullable=False),
)

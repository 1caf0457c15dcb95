"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NAME = sa.String().with_variant(sa.Text(collation="C"), "postgresql")
READY = sa.text("state = 'ready'")
WAKES = sa.text("wake_at is not null")


def upgrade() -> None:
    op.create_table(
        "offsets",
        sa.Column("topic", NAME, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition"),
    )
    _entries()
    op.create_table(
        "directory",
        sa.Column("destination", NAME, nullable=False),
        sa.Column("subscriber", NAME, nullable=False),
        sa.Column("identity", sa.String),
        sa.Column("version", sa.Text),
        sa.PrimaryKeyConstraint("destination", "subscriber"),
    )
    op.create_table(
        "tokens",
        sa.Column("account", NAME, nullable=False),
        sa.Column("quota_window", sa.String, nullable=False),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("free_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("account", "quota_window", "slot"),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "accounts",
        sa.Column("name", NAME, primary_key=True),
        sa.Column("paused_until", sa.Double),
        sa.Column("held", sa.String),
        sa.Column("held_since", sa.Double),
        sa.Column("probe_at", sa.Double),
        sa.Column("probes", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("good_since", sa.Double),
    )
    op.create_table(
        "rulesets",
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("digest", sa.String, nullable=False, unique=True),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("topic", sa.String, nullable=False),
        sa.Column("key", sa.LargeBinary),
        sa.Column("value", sa.LargeBinary),
        sa.Column("headers", sa.Text, nullable=False),
    )


def _entries() -> None:
    op.create_table(
        "entries",
        sa.Column("destination", NAME, nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("layers", sa.Text, nullable=False),
        sa.Column("raws", sa.Text, nullable=False),
        sa.Column("desired", sa.Text),
        sa.Column("desired_hash", sa.String, nullable=False),
        sa.Column("event_time", sa.Double),
        sa.Column("subscriber", NAME),
        sa.Column("identity", sa.String),
        sa.Column("linked", sa.Boolean, nullable=False),
        sa.Column("skip_unsent", sa.Boolean, nullable=False),
        sa.Column("wait_until", sa.Double),
        sa.Column("deliver_at", sa.Double),
        sa.Column("expires_at", sa.Double),
        sa.Column("rank", sa.Double, nullable=False),
        sa.Column("observed", sa.Text),
        sa.Column("observed_hash", sa.String, nullable=False),
        sa.Column("observed_identity", sa.String),
        sa.Column("vendor_id", sa.String),
        sa.Column("quiet_until", sa.Double),
        sa.Column("quiet_hash", sa.String),
        sa.Column("absent", sa.Boolean, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("lease_owner", sa.String),
        sa.Column("lease_until", sa.Double),
        sa.Column("sent_hash", sa.String),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failed_at", sa.Double),
        sa.Column("first_failed_at", sa.Double),
        sa.Column("expiries", sa.Integer, nullable=False),
        sa.Column("retry_at", sa.Double),
        sa.Column("rejected_hash", sa.String),
        sa.Column("error", sa.String),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("wake_at", sa.Double),
        sa.PrimaryKeyConstraint("destination", "key"),
    )
    op.create_index("entries_ready", "entries", ["destination", "rank"], postgresql_where=READY, sqlite_where=READY)
    op.create_index("entries_wake", "entries", ["wake_at"], postgresql_where=WAKES, sqlite_where=WAKES)
    op.create_index("entries_subscriber", "entries", ["destination", "subscriber"])

"""Holds of a destination and of a rule, since when an account is paused, and an index to count what is not in step.

Workers of the version before go on beside this one: they obey no pause that a person asks for, so let them end first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

NAME = sa.String().with_variant(sa.Text(collation="C"), "postgresql")
UNSETTLED = sa.text("state <> 'idle'")


def upgrade() -> None:
    op.create_table(
        "holds",
        sa.Column("destination", NAME, nullable=False),
        sa.Column("rule", NAME, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("since", sa.Double),
        sa.Column("refused", sa.Integer, nullable=False),
        sa.Column("try_at", sa.Double),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("destination", "rule", "revision"),
    )
    op.add_column("accounts", sa.Column("paused_since", sa.Double))
    op.add_column("accounts", sa.Column("spent_since", sa.Double))
    op.add_column("accounts", sa.Column("spent_until", sa.Double))
    columns = ["destination", "state", "event_time"]
    op.create_index("entries_unsettled", "entries", columns, postgresql_where=UNSETTLED, sqlite_where=UNSETTLED)


def downgrade() -> None:
    op.drop_index("entries_unsettled", "entries")
    op.drop_column("accounts", "spent_until")
    op.drop_column("accounts", "spent_since")
    op.drop_column("accounts", "paused_since")
    op.drop_table("holds")

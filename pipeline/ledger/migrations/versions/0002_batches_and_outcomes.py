"""Calls with several entries, searches that take several calls, the events that await an outcome, and
what Kafka will not take.

Workers of the version before go on beside this one, as each column may be empty; but let an outcome topic wait for the
last of them to end: they do not know that a message may be encrypted.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("entries", sa.Column("events", sa.Text))
    op.add_column("entries", sa.Column("candidates", sa.Text))
    op.add_column("entries", sa.Column("batch_limit", sa.Integer))
    op.add_column("entries", sa.Column("sent", sa.Text))
    op.add_column("accounts", sa.Column("spent", sa.Double))
    op.add_column("accounts", sa.Column("period_start", sa.Double))
    op.create_index("directory_identity", "directory", ["destination", "identity"])
    op.add_column("outbox", sa.Column("refused", sa.String))
    op.add_column("outbox", sa.Column("try_at", sa.Double))
    op.add_column("outbox", sa.Column("sealed", sa.Boolean))


def downgrade() -> None:
    op.drop_column("outbox", "sealed")
    op.drop_column("outbox", "try_at")
    op.drop_column("outbox", "refused")
    op.drop_index("directory_identity", "directory")
    op.drop_column("accounts", "period_start")
    op.drop_column("accounts", "spent")
    op.drop_column("entries", "sent")
    op.drop_column("entries", "batch_limit")
    op.drop_column("entries", "candidates")
    op.drop_column("entries", "events")

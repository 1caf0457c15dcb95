"""When a row may go. Workers of the version before leave the column as it is: it is judged anew when its time comes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

KEEP = 90 * 86_400
NOW = {"sqlite": "(julianday('now') - 2440587.5) * 86400.0", "postgresql": "extract(epoch from clock_timestamp())"}


def upgrade() -> None:
    op.add_column("entries", sa.Column("prune_at", sa.Double))
    now = NOW[op.get_bind().dialect.name]
    # Which of them are over is judged when the time has come.
    op.execute(f"update entries set prune_at = {now} + {KEEP} where state in ('idle', 'dead', 'expired')")  # nosec B608 # constants
    ended = sa.text("prune_at is not null")
    op.create_index("entries_prune", "entries", ["prune_at"], postgresql_where=ended, sqlite_where=ended)


def downgrade() -> None:
    op.drop_index("entries_prune", "entries")
    op.drop_column("entries", "prune_at")

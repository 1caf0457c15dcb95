"""An index to count the entries of which it is not known whether the vendor has them. Workers of the version before do
not use it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

UNSURE = sa.text("observed_hash = '?' and state <> 'idle'")


def upgrade() -> None:
    columns = ["destination", "state", "rank"]
    op.create_index("entries_unsure", "entries", columns, postgresql_where=UNSURE, sqlite_where=UNSURE)


def downgrade() -> None:
    op.drop_index("entries_unsure", "entries")

"""Up to which offset a ledger that went back knows nothing certain. Workers of the version before look for no entry
first: let them end before a ledger is put back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("offsets", sa.Column("unsure_until", sa.BigInteger))


def downgrade() -> None:
    op.drop_column("offsets", "unsure_until")

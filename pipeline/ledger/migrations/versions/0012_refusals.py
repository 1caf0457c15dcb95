"""How often in a row an account refused without saying for how long. Workers of the version before do not count it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("refusals", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("accounts", "refusals")

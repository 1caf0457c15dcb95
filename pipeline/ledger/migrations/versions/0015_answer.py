"""What a vendor answered to the call that held its account. Workers of the version before do not write it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("answer", sa.Text))


def downgrade() -> None:
    op.drop_column("accounts", "answer")

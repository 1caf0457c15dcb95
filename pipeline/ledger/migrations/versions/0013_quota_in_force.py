"""Which quota of an account is in force, and which it replaced. Workers of the version before declare theirs as they
did: let them end before a quota is changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("quotas", sa.Text))
    op.add_column("accounts", sa.Column("quota_seen", sa.Double))


def downgrade() -> None:
    op.drop_column("accounts", "quota_seen")
    op.drop_column("accounts", "quotas")

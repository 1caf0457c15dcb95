"""Calls with several entries, and searches that take several calls.

Workers of the version before go on beside this one: both columns may be empty.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("entries", sa.Column("candidates", sa.Text))
    op.add_column("entries", sa.Column("batch_limit", sa.Integer))


def downgrade() -> None:
    op.drop_column("entries", "batch_limit")
    op.drop_column("entries", "candidates")

"""Marks of who was forgotten. Workers of the version before do not know them, and take a late event: let them end
before anybody is forgotten."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

NAME = sa.String().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "forgotten",
        sa.Column("mark", NAME, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_table(
        "forgetting_keys",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("forgetting_keys")
    op.drop_table("forgotten")

"""How far a destination has been read back, and what was found to differ there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

NAME = sa.String().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "reconciliations",
        sa.Column("destination", NAME, primary_key=True),
        sa.Column("began", sa.Double, nullable=False),
        sa.Column("ended", sa.Double),
        sa.Column("seen", sa.Text, nullable=False),
    )
    op.create_table(
        "drift",
        sa.Column("destination", NAME, nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("became", sa.String),
        sa.PrimaryKeyConstraint("destination", "key", "kind"),
    )


def downgrade() -> None:
    op.drop_table("drift")
    op.drop_table("reconciliations")

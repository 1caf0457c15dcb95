"""What became of dead letters: who replayed or discarded which. Workers of the version before need not know."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

NAME = sa.String().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "letters",
        sa.Column("topic", NAME, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("record", sa.BigInteger, nullable=False),
        sa.Column("became", sa.String, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", "record"),
    )


def downgrade() -> None:
    op.drop_table("letters")

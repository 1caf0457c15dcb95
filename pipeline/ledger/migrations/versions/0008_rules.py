"""Rules: what they were, which are held back, and what each worker last read. Workers of before see none of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("rulesets", sa.Column("at", sa.Double))
    op.add_column("rulesets", sa.Column("rules", sa.Text))
    op.create_table(
        "rule_holds",
        sa.Column("digest", sa.String, primary_key=True),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("ended", sa.Integer, nullable=False),
        sa.Column("live", sa.Integer, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("approved_by", sa.String),
    )
    op.create_table(
        "rule_readings",
        sa.Column("worker", sa.String, primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("refused", sa.Text),
        sa.Column("problems", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("rule_readings")
    op.drop_table("rule_holds")
    op.drop_column("rulesets", "rules")
    op.drop_column("rulesets", "at")

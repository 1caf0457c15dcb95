"""Up to where entries are unsure and all of them are marked. Workers of the version before do not write it: what they
marked is marked once more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("offsets", sa.Column("marked_until", sa.BigInteger))
    op.execute("update offsets set marked_until = unsure_until")


def downgrade() -> None:
    op.drop_column("offsets", "marked_until")

"""Groups of entries, and the newest roster of each. Workers of the version before write neither, and need not."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    name = sa.String().with_variant(sa.Text(collation="C"), "postgresql")
    op.add_column("entries", sa.Column("group_name", name))
    grouped = sa.text("group_name is not null")
    op.create_index(
        "entries_group", "entries", ["destination", "group_name"], postgresql_where=grouped, sqlite_where=grouped
    )
    op.create_table(
        "groups",
        sa.Column("destination", name, nullable=False),
        sa.Column("name", name, nullable=False),
        sa.Column("roster", sa.Text),
        sa.Column("written_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("destination", "name"),
    )


def downgrade() -> None:
    op.drop_table("groups")
    op.drop_index("entries_group", "entries")
    op.drop_column("entries", "group_name")

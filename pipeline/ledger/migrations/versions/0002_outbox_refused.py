"""What Kafka will not take stands aside in the outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("refused", sa.String))
    op.add_column("outbox", sa.Column("try_at", sa.Double))

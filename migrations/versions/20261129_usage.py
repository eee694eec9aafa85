"""What each client has had translated, by day, and what one key may have."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261129_usage"
down_revision = "20261128_quotas"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and add the columns."""
    op.create_table(
        "usage",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("characters", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "client", name="pk_usage"),
    )
    op.create_index("ix_usage_client_day", "usage", ["client", "day"])
    op.add_column("api_keys", sa.Column("requests", sa.String(200)))
    op.add_column("api_keys", sa.Column("characters_per_month", sa.BigInteger()))


def downgrade() -> None:
    """Drop them. Not in batch mode: copying a table on SQLite would delete what hangs on its rows."""
    op.execute("ALTER TABLE api_keys DROP COLUMN characters_per_month")
    op.execute("ALTER TABLE api_keys DROP COLUMN requests")
    op.drop_table("usage")

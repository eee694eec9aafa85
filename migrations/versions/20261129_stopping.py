"""When a retraining was asked to end, for servers that share a database and no folder."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261129_stopping"
down_revision = "20261129_usage"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("retraining_runs", sa.Column("stop_asked_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Drop it; who asked a run to end that still goes on must ask again."""
    op.execute("ALTER TABLE retraining_runs DROP COLUMN stop_asked_at")

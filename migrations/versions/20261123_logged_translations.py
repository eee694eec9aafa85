"""Texts stored with the consent of who sent them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261123_logged_translations"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the log of translations with `log_consent`."""
    op.create_table(
        "logged_translations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("target", sa.String(8), nullable=False),
        sa.Column("source_text", sa.Text(), nullable=False),
        sa.Column("translation", sa.Text(), nullable=False),
        sa.Column("model_version", sa.String(200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logged_translations")),
    )
    with op.batch_alter_table("logged_translations") as batch:
        batch.create_index(op.f("ix_logged_translations_created_at"), ["created_at"])


def downgrade() -> None:
    """Drop the log; what was stored in it is lost."""
    with op.batch_alter_table("logged_translations") as batch:
        batch.drop_index(op.f("ix_logged_translations_created_at"))
    op.drop_table("logged_translations")

"""What a limit counts and a decision compares: who sent a text, and a key of what a correction says."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "20261128_quotas"
down_revision = "20261125_corrections"
branch_labels = None
depends_on = None

ROWS_AT_ONCE = 1000
CORRECTIONS = sa.table(
    "corrections", sa.column("id", sa.Uuid()), sa.column("corrected_translation", sa.Text()), sa.column("text_key")
)
INDEXES = {
    "ix_corrections_pair_source_key_status": ["pair", "source_key", "status"],
    "ix_corrections_status_author_key_id": ["status", "author_key_id"],
    "ix_corrections_status_author_session": ["status", "author_session"],
}


def upgrade() -> None:
    """Add the columns, fill them, and make the indexes."""
    op.add_column("corrections", sa.Column("text_key", sa.String(32), nullable=False, server_default=sa.text("''")))
    op.add_column("logged_translations", sa.Column("keyless", sa.Boolean(), nullable=False, server_default=sa.false()))
    _fill()
    op.drop_index("ix_corrections_pair_source_key", "corrections")
    for name, columns in INDEXES.items():
        op.create_index(name, "corrections", columns)
    op.create_index("ix_logged_translations_keyless_created_at", "logged_translations", ["keyless", "created_at"])


def text_key(text: str) -> str:
    """That of this day: a migration does the same for ever, whatever becomes of `app.storage.tables.text_key`."""
    return hashlib.blake2b(" ".join(text.split()).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _fill() -> None:
    """Page by page: all texts at once may be gigabytes."""
    connection = op.get_bind()
    page = sa.select(CORRECTIONS.c.id, CORRECTIONS.c.corrected_translation).order_by(CORRECTIONS.c.id)
    filled = (
        sa.update(CORRECTIONS).where(CORRECTIONS.c.id == sa.bindparam("of_id")).values(text_key=sa.bindparam("key"))
    )
    rows = connection.execute(page.limit(ROWS_AT_ONCE)).all()
    while rows:
        connection.execute(filled, [{"of_id": row.id, "key": text_key(row.corrected_translation)} for row in rows])
        rows = connection.execute(page.where(CORRECTIONS.c.id > rows[-1].id).limit(ROWS_AT_ONCE)).all()


def downgrade() -> None:
    """Drop them. Not in batch mode: copying a table on SQLite would delete what hangs on its rows."""
    op.drop_index("ix_logged_translations_keyless_created_at", "logged_translations")
    for name in INDEXES:
        op.drop_index(name, "corrections")
    op.create_index("ix_corrections_pair_source_key", "corrections", ["pair", "source_key"])
    op.execute("ALTER TABLE logged_translations DROP COLUMN keyless")
    op.execute("ALTER TABLE corrections DROP COLUMN text_key")

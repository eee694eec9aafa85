"""Corrections: keys, review, memory, model versions and retraining runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261125_corrections"
down_revision = "20261123_logged_translations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of the correction loop, and the one row of `memory_state`."""
    _create_keys()
    _create_corrections()
    _create_idempotency_keys()
    _create_memory()
    _create_versions()
    _create_links()
    _create_runs()


def _create_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("trusted", sa.Boolean(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_api_keys_secret_hash")),
    )


def _create_corrections() -> None:
    op.create_table(
        "corrections",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pair", sa.String(8), nullable=False),
        sa.Column("source_text", sa.Text(), nullable=False),
        sa.Column("source_key", sa.String(32), nullable=False),
        sa.Column("machine_translation", sa.Text(), nullable=False),
        sa.Column("corrected_translation", sa.Text(), nullable=False),
        sa.Column("model_version", sa.String(200), nullable=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("marks", sa.JSON(), nullable=False),
        sa.Column("author_key_id", sa.Uuid(), nullable=True),
        sa.Column("author_session", sa.String(64), nullable=True),
        sa.Column("confirmed_by", sa.JSON(), nullable=False),
        sa.Column("reviewer", sa.String(64), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'approved', 'rejected', 'superseded')", name=op.f("ck_corrections_status")
        ),
        sa.ForeignKeyConstraint(["author_key_id"], ["api_keys.id"], name=op.f("fk_corrections_author_key_id_api_keys")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
    )
    with op.batch_alter_table("corrections") as batch:
        batch.create_index(op.f("ix_corrections_created_at"), ["created_at"])
        batch.create_index(op.f("ix_corrections_pair_source_key"), ["pair", "source_key"])
        batch.create_index(op.f("ix_corrections_status_created_at"), ["status", "created_at"])


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("client", sa.String(80), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("correction_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["correction_id"], ["corrections.id"], ondelete="CASCADE",
            name=op.f("fk_idempotency_keys_correction_id_corrections"),
        ),
        sa.PrimaryKeyConstraint("client", "key", name=op.f("pk_idempotency_keys")),
    )  # fmt: skip
    with op.batch_alter_table("idempotency_keys") as batch:
        batch.create_index(op.f("ix_idempotency_keys_created_at"), ["created_at"])


def _create_memory() -> None:
    state = op.create_table(
        "memory_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memory_state")),
    )
    op.bulk_insert(state, [{"id": 1, "version": 0}])
    op.create_table(
        "memory_changes",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("pair", sa.String(8), nullable=False),
        sa.Column("source_key", sa.String(32), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", "pair", "source_key", name=op.f("pk_memory_changes")),
    )
    with op.batch_alter_table("memory_changes") as batch:
        batch.create_index(op.f("ix_memory_changes_changed_at"), ["changed_at"])


def _create_versions() -> None:
    op.create_table(
        "model_versions",
        sa.Column("pair", sa.String(8), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("parent", sa.String(200), nullable=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('candidate', 'current', 'retired', 'rejected')", name=op.f("ck_model_versions_status")
        ),
        sa.PrimaryKeyConstraint("pair", "version", name=op.f("pk_model_versions")),
    )


def _create_links() -> None:
    op.create_table(
        "trained_corrections",
        sa.Column("correction_id", sa.Uuid(), nullable=False),
        sa.Column("pair", sa.String(8), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["correction_id"], ["corrections.id"], ondelete="CASCADE",
            name=op.f("fk_trained_corrections_correction_id_corrections"),
        ),
        sa.ForeignKeyConstraint(
            ["pair", "version"], ["model_versions.pair", "model_versions.version"], ondelete="CASCADE",
            name=op.f("fk_trained_corrections_pair_model_versions"),
        ),
        sa.PrimaryKeyConstraint("correction_id", "pair", "version", name=op.f("pk_trained_corrections")),
    )  # fmt: skip
    with op.batch_alter_table("trained_corrections") as batch:
        batch.create_index(op.f("ix_trained_corrections_pair_version"), ["pair", "version"])


def _create_runs() -> None:
    op.create_table(
        "retraining_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("pair", sa.String(8), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("parent", sa.String(64), nullable=False),
        sa.Column("candidate", sa.String(64), nullable=False),
        sa.Column("corrections", sa.Integer(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.CheckConstraint(
            "state IN ('running', 'promoted', 'kept', 'rejected', 'failed', 'interrupted')",
            name=op.f("ck_retraining_runs_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retraining_runs")),
    )
    with op.batch_alter_table("retraining_runs") as batch:
        batch.create_index(op.f("ix_retraining_runs_started_at"), ["started_at"])


def downgrade() -> None:
    """Drop it all; corrections, keys and the history of retraining are lost, model versions on disk stay."""
    for table in (
        "retraining_runs", "trained_corrections", "model_versions", "memory_changes", "memory_state",
        "idempotency_keys", "corrections", "api_keys",
    ):  # fmt: skip
        op.drop_table(table)

"""The database's tables. Not called `models`: that word means the network here.

A change here needs a migration in `migrations/versions`; a test compares the two.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    Uuid,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, validates

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has a name on both databases, so that a migration can drop it."""


def now() -> dt.datetime:
    """The present, with its zone."""
    return dt.datetime.now(dt.UTC)


def text_key(text: str) -> str:
    """32 hexadecimal digits, equal for texts that differ at most in white space. Takes any string.

    Who changes it changes the column `corrections.text_key`: a migration must compute it anew.
    """
    return hashlib.blake2b(" ".join(text.split()).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class UtcDateTime(TypeDecorator[dt.datetime]):
    """A moment in UTC; SQLite keeps no zone, so it is put back on reading. A moment without a zone is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored moment needs a time zone")
        return value.astimezone(dt.UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        moment: dt.datetime = value
        return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


class Base(DeclarativeBase):
    """Parent of all tables."""

    metadata = MetaData(naming_convention=NAMING)


class LoggedTranslation(Base):
    """A text and its translation, kept since its author sent `log_consent: true`; deleted after the retention time."""

    __tablename__ = "logged_translations"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, default=uuid.uuid4)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now, index=True)
    source: Mapped[str] = mapped_column(String(8))
    target: Mapped[str] = mapped_column(String(8))
    source_text: Mapped[str] = mapped_column(Text)
    translation: Mapped[str] = mapped_column(Text)
    model_version: Mapped[str | None] = mapped_column(String(200))
    keyless: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    """Whether its author sent no key; how many such texts a day may bring is limited."""

    __table_args__ = (Index("ix_logged_translations_keyless_created_at", "keyless", "created_at"),)


PENDING, APPROVED, REJECTED, SUPERSEDED = STATUSES = ("pending", "approved", "rejected", "superseded")
"""Of a correction. That it was trained is not a status: it follows from `TrainedCorrection`."""
CANDIDATE, CURRENT, RETIRED, REFUSED = VERSION_STATUSES = ("candidate", "current", "retired", "rejected")
"""Of a model version. `current` is a copy of what the pointer says."""
RUNNING, PROMOTED, KEPT, RUN_REJECTED, FAILED, INTERRUPTED = RUN_STATES = (
    "running", "promoted", "kept", "rejected", "failed", "interrupted",
)  # fmt: skip
"""Of a retraining. `kept`: it passed, but nobody asked for the promotion; `rejected`: by the gate."""


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(map(repr, values))})", name=column)


class ApiKey(Base):
    """A key that a client sends as `Authorization: Bearer KEY`. Only its hash is stored."""

    __tablename__ = "api_keys"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, default=uuid.uuid4)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(16))
    """The first characters, so that people can tell keys apart."""
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 in hexadecimal: a key is 256 random bits, so that a slow hash would add nothing."""
    scopes: Mapped[list[str]] = mapped_column(JSON)
    trusted: Mapped[bool] = mapped_column(Boolean, default=False)
    """Its corrections are approved at once, if no check marks them."""
    revoked_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    requests: Mapped[str | None] = mapped_column(String(200))
    """How often it may ask, such as `100/minute`; None: as the settings say for all keys."""
    characters_per_month: Mapped[int | None] = mapped_column(BigInteger)
    """How much it may have translated in a month; None: as the settings say for all keys; 0: any number."""


class UsageDay(Base):
    """What one client has had translated on one day (UTC)."""

    __tablename__ = "usage"

    day: Mapped[dt.date] = mapped_column(Date, primary_key=True)
    client: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Id of a key, or `admin key`, `local`, `anonymous`."""
    requests: Mapped[int] = mapped_column(BigInteger, default=0)
    characters: Mapped[int] = mapped_column(BigInteger, default=0)

    __table_args__ = (Index("ix_usage_client_day", "client", "day"),)


class Correction(Base):
    """A translation that somebody corrected."""

    __tablename__ = "corrections"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, default=uuid.uuid4)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now, index=True)
    changed_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)
    """When the status or the text last changed; of two approved ones the newer wins."""
    pair: Mapped[str] = mapped_column(String(8))
    """Such as `it-en`."""
    source_text: Mapped[str] = mapped_column(Text)
    source_key: Mapped[str] = mapped_column(String(32))
    """`app.memory.store.source_key` of it: equal for texts that memory takes for the same."""
    machine_translation: Mapped[str] = mapped_column(Text)
    corrected_translation: Mapped[str] = mapped_column(Text)
    text_key: Mapped[str] = mapped_column(String(32), server_default=text("''"))
    """`text_key` of it: equal for corrections that say the same. Follows it by itself."""
    model_version: Mapped[str | None] = mapped_column(String(200))
    status: Mapped[str] = mapped_column(String(16), default=PENDING)
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it was rejected, or by what superseded."""
    marks: Mapped[list[str]] = mapped_column(JSON, default=list)
    """What the checks found odd, for the reviewer."""
    author_key_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("api_keys.id"))
    author_session: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 of the session token of an author without a key."""
    confirmed_by: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Who has approved it so far, where a second person must confirm."""
    reviewer: Mapped[str | None] = mapped_column(String(64))
    """Id of the key that decided, or `admin key`, `local`, `import`."""
    reviewed_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        _one_of("status", STATUSES),
        Index("ix_corrections_pair_source_key_status", "pair", "source_key", "status"),
        Index("ix_corrections_status_created_at", "status", "created_at"),
        Index("ix_corrections_status_author_key_id", "status", "author_key_id"),
        Index("ix_corrections_status_author_session", "status", "author_session"),
    )

    @validates("corrected_translation")
    def _follow(self, _name: str, corrected: str) -> str:
        self.text_key = text_key(corrected)
        return corrected


class IdempotencyKey(Base):
    """A POST that was answered: the same client sending the same key again gets the same correction."""

    __tablename__ = "idempotency_keys"

    client: Mapped[str] = mapped_column(String(80), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now, index=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    correction_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("corrections.id", ondelete="CASCADE"))


class MemoryState(Base):
    """One row: a number that grows with every change of what memory answers. Its lock puts the changes in order."""

    __tablename__ = "memory_state"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger, default=0)


class MemoryChange(Base):
    """Which sentence memory must read again, since which version of `MemoryState`."""

    __tablename__ = "memory_changes"

    version: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    pair: Mapped[str] = mapped_column(String(8), primary_key=True)
    source_key: Mapped[str] = mapped_column(String(32), primary_key=True)
    changed_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now, index=True)


class ModelVersion(Base):
    """A version folder that was seen; reconciled with the folders and pointers, which are the truth."""

    __tablename__ = "model_versions"

    pair: Mapped[str] = mapped_column(String(8), primary_key=True)
    version: Mapped[str] = mapped_column(String(64), primary_key=True)
    parent: Mapped[str | None] = mapped_column(String(200))
    status: Mapped[str] = mapped_column(String(16), default=CANDIDATE)
    scores: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    card: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)
    promoted_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (_one_of("status", VERSION_STATUSES),)


class TrainedCorrection(Base):
    """A correction that a model version was trained on."""

    __tablename__ = "trained_corrections"

    correction_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("corrections.id", ondelete="CASCADE"), primary_key=True)
    pair: Mapped[str] = mapped_column(String(8), primary_key=True)
    version: Mapped[str] = mapped_column(String(64), primary_key=True)

    __table_args__ = (
        ForeignKeyConstraint(
            ["pair", "version"], ["model_versions.pair", "model_versions.version"], ondelete="CASCADE"
        ),
        Index("ix_trained_corrections_pair_version", "pair", "version"),
    )


class RetrainingRun(Base):
    """One `traghetto retrain`, whatever came of it."""

    __tablename__ = "retraining_runs"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, default=uuid.uuid4)
    pair: Mapped[str] = mapped_column(String(8))
    started_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now, index=True)
    finished_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16), default=RUNNING)
    parent: Mapped[str] = mapped_column(String(64))
    candidate: Mapped[str] = mapped_column(String(64))
    corrections: Mapped[int] = mapped_column(Integer, default=0)
    log: Mapped[str] = mapped_column(Text, default="")
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """What `training.retrain.retrain` returned."""
    stop_asked_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    """When somebody first wanted it to end, of whichever server."""

    __table_args__ = (_one_of("state", RUN_STATES),)

"""Corrections put straight into the database, as another process would."""

from __future__ import annotations

import datetime as dt
import uuid

from app.memory.changes import touch
from app.memory.store import source_key
from app.storage.db import Database
from app.storage.tables import APPROVED, Correction, now


def correction(
    source: str, target: str, status: str = APPROVED, *, minutes: int = 0, pair: str = "it-en"
) -> Correction:
    """A correction, changed `minutes` after now."""
    return Correction(
        pair=pair, source_text=source, source_key=source_key(source), machine_translation=source.upper(),
        corrected_translation=target, status=status, changed_at=now() + dt.timedelta(minutes=minutes),
    )  # fmt: skip


async def store(database: Database, *corrections: Correction) -> list[uuid.UUID]:
    """Store them in one transaction, as the corrections service does."""
    async with database.writing() as session:
        session.add_all(corrections)
        await session.flush()
        await touch(session, [(one.pair, one.source_key) for one in corrections])
    return [one.id for one in corrections]

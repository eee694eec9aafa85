"""Texts that their authors allowed to store, and their deletion after the retention time."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import DatabaseDown
from app.storage.db import Database
from app.storage.housekeeping import delete_slice, in_slices
from app.storage.locks import Lock, lock
from app.storage.tables import LoggedTranslation, now

log = logging.getLogger("traghetto.database")

STORE_TIMEOUT_S = 5.0
"""The answer to the request waits so long. A chunk of an import, which may write first, takes a part of a second."""
DAY = dt.timedelta(days=1)


class Consented(NamedTuple):
    """A text and its translation, with the consent of who sent it. Languages are `it` or `en`."""

    source: str
    target: str
    source_text: str
    translation: str
    model_version: str | None


class ConsentLog:
    """Stores translations; a database that is down costs nobody the translation."""

    def __init__(self, database: Database, retention_days: int, keyless_per_day: int = 0) -> None:
        """`keyless_per_day`: texts that clients without a key may bring within 24 hours; 0: any number."""
        self._database = database
        self._retention = dt.timedelta(days=retention_days)
        self._keyless_per_day = keyless_per_day

    async def store(self, texts: Sequence[Consented], *, keyless: bool = False) -> bool:
        """Store all of `texts` or none; says whether it did. `keyless`: who sent them is not known by a key."""
        rows = [LoggedTranslation(**text._asdict(), keyless=keyless) for text in texts]
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S), self._database.writing() as session:
                if keyless and not await self._have_room(session, len(rows)):
                    return False
                session.add_all(rows)
        except (SQLAlchemyError, DatabaseDown, OSError, TimeoutError) as error:
            log.warning("a text with consent could not be stored: %s", type(error).__name__)
            return False
        return True

    async def _have_room(self, session: AsyncSession, more: int) -> bool:
        """Whether clients without a key may bring `more` texts. Counts in an index, no further than the limit."""
        if not self._keyless_per_day:
            return True
        await lock(session, Lock.CONSENTED)
        recent = LoggedTranslation.keyless.is_(True), LoggedTranslation.created_at > now() - DAY
        counted = select(LoggedTranslation.created_at).where(*recent).limit(self._keyless_per_day).subquery()
        there = await session.scalar(select(func.count()).select_from(counted)) or 0
        return there + more <= self._keyless_per_day

    async def purge(self) -> int:
        """Delete what is older than the retention time, slice by slice; says how many rows."""
        old = LoggedTranslation.created_at < now() - self._retention
        return await in_slices(self._database, delete_slice(LoggedTranslation, old))

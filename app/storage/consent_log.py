"""Texts that their authors allowed to store, and their deletion after the retention time."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from app.storage.db import Database
from app.storage.tables import LoggedTranslation, now

log = logging.getLogger("traghetto.database")

STORE_TIMEOUT_S = 2.0


class Consented(NamedTuple):
    """A text and its translation, with the consent of who sent it. Languages are `it` or `en`."""

    source: str
    target: str
    source_text: str
    translation: str
    model_version: str | None


class ConsentLog:
    """Stores translations; a database that is down costs nobody the translation."""

    def __init__(self, database: Database, retention_days: int) -> None:
        self._database = database
        self._retention = dt.timedelta(days=retention_days)

    async def store(self, texts: Sequence[Consented]) -> bool:
        """Store all of `texts` or none; says whether it worked."""
        rows = [LoggedTranslation(**text._asdict()) for text in texts]
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S), self._database.session.begin() as session:
                session.add_all(rows)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("a text with consent could not be stored: %s", type(error).__name__)
            return False
        return True

    async def purge(self) -> int:
        """Delete what is older than the retention time; says how many rows."""
        async with self._database.session.begin() as session:
            result = await session.execute(
                delete(LoggedTranslation).where(LoggedTranslation.created_at < now() - self._retention)
            )
        return int(getattr(result, "rowcount", 0))

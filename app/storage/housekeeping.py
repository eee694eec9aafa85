"""Deletes what is past its time, for as long as the server runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError

from app.errors import DatabaseDown

log = logging.getLogger("traghetto.database")

PURGE_EVERY_S = 3600.0


async def purge_forever(purge: Callable[[], Awaitable[int]], what: str) -> None:
    """`purge` now and every `PURGE_EVERY_S`, until cancelled. It returns how many it deleted of `what`, for the log."""
    while True:
        try:
            deleted = await purge()
            level = logging.INFO if deleted else logging.DEBUG
            log.log(level, "%d %s were past their retention time and are deleted", deleted, what)
        except (SQLAlchemyError, DatabaseDown, OSError) as error:
            log.warning("old %s could not be deleted: %s", what, type(error).__name__)
        await asyncio.sleep(PURGE_EVERY_S)

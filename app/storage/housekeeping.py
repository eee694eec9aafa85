"""Deletes what is past its time, for as long as the server runs, and lets others write meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy import ColumnElement, delete, inspect, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import DatabaseDown
from app.storage.db import Database
from app.storage.tables import Base

log = logging.getLogger("traghetto.database")

PURGE_EVERY_S = 3600.0
SLICE_ROWS = 1000
"""Of one transaction: some 10 ms."""
PAUSE_S = 0.02
"""Between two, for writers of other processes; those of this one stand in line."""

DeleteSome = Callable[[AsyncSession], Awaitable[int]]
"""Deletes a slice and says how many rows it had; 0: there is nothing left."""


async def purge_forever(purge: Callable[[], Awaitable[int]], what: str) -> None:
    """`purge` now and every `PURGE_EVERY_S`, until cancelled. It returns how many it deleted of `what`, for the log.

    A database that is away is tried again; anything else that fails is for `app.background`.
    """
    while True:
        try:
            deleted = await purge()
            level = logging.INFO if deleted else logging.DEBUG
            log.log(level, "%d %s were past their retention time and are deleted", deleted, what)
        except DatabaseDown:
            log.warning("old %s could not be deleted: the database does not answer", what)
        await asyncio.sleep(PURGE_EVERY_S)


async def in_slices(database: Database, delete_some: DeleteSome) -> int:
    """`delete_some` until nothing is left, each time in a transaction of its own; says how many rows.

    Raises:
        DatabaseDown: as `Database.writing`; what was deleted until then stays deleted.
    """
    deleted = 0
    while True:
        async with database.writing() as session:
            slice_rows = await delete_some(session)
        if slice_rows == 0:
            return deleted
        deleted += slice_rows
        await asyncio.sleep(PAUSE_S)


def delete_slice(table: type[Base], condition: ColumnElement[bool]) -> DeleteSome:
    """Deletes rows of `table` that fulfil `condition`, `SLICE_ROWS` at a time."""
    key = inspect(table).primary_key
    slice_ = select(*key).where(condition).limit(SLICE_ROWS)

    async def delete_some(session: AsyncSession) -> int:
        result = await session.execute(delete(table).where(tuple_(*key).in_(slice_)))
        return int(getattr(result, "rowcount", 0))

    return delete_some

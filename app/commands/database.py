"""The database, for commands: opened only if it can be used, and else a message that says what to do."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from app.storage.db import Database


Answer = TypeVar("Answer")


def run(work: Coroutine[Any, Any, Answer]) -> Answer:
    """What `work` on the database gives."""
    import asyncio  # here, since no other command needs it, and it is slow to import

    return asyncio.run(work)


@contextlib.asynccontextmanager
async def opened_database() -> AsyncIterator[Database]:
    """The database of the settings; closed at the end.

    Raises:
        AppError: it does not answer, or is not migrated.
        SettingsError: as `load_settings`.
    """
    from sqlalchemy import make_url

    from app.errors import AppError
    from app.settings import load_settings
    from app.storage.db import Database, is_sqlite, shown

    url = load_settings().database
    where = shown(url)
    if is_sqlite(url) and not _is_file(make_url(url).database):  # opening it would make it
        raise AppError(f"there is no database at {where}; make it with: traghetto migrate")
    database = Database(url)
    try:
        state = await database.state()
        if state == "down":
            raise AppError(f"the database {where} does not answer")
        if state == "not migrated":
            raise AppError(f"the database {where} is not of this version; bring it up to date with: traghetto migrate")
        yield database
    finally:
        await database.close()


def _is_file(path: str | None) -> bool:
    return Path(path or "").is_file()

"""Connections that are closed while something still runs on them."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from patience import eventually
from sqlalchemy import text

from app.storage.db import Database

COUNTING = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT max(i) FROM n"
"""Takes some tenths of a second, in a thread that cannot be stopped."""


@pytest.mark.parametrize("connected", [False, True], ids=["at once", "while it counts"])
def test_closing_waits_for_what_was_broken_off(connected: bool, tmp_path: Path) -> None:
    """Else a thread tells a closed event loop what came of it, and the last a server says is a traceback."""

    async def broken_off() -> set[threading.Thread]:
        before = set(threading.enumerate())
        database = Database(f"sqlite+aiosqlite:///{tmp_path / 'traghetto.db'}")
        task = asyncio.create_task(counted(database))
        await asyncio.sleep(0)
        if connected:
            await eventually(lambda: set(threading.enumerate()) - before, "a connection")
            await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        begun = set(threading.enumerate()) - before
        await database.close()
        return {one for one in begun if one.is_alive()}

    assert not asyncio.run(broken_off())


async def counted(database: Database) -> None:
    async with database.reading() as session:
        await session.execute(text(COUNTING))

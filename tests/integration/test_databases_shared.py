"""The database that tests on PostgreSQL have one after the other: nothing of the one before is left."""

from __future__ import annotations

import psycopg
import pytest
from databases import emptied
from sqlalchemy import URL, func, select
from stored import correction, store

from app.storage.db import Database
from app.storage.tables import Base, MemoryState

pytestmark = pytest.mark.postgres


async def test_rows_and_sessions_are_gone(shared_database: URL) -> None:
    before = Database(emptied(shared_database))
    await store(before, correction("Ho fame.", "I'm hungry."))
    await before.close()
    plain = shared_database.render_as_string(hide_password=False)
    left = psycopg.connect(plain)
    left.execute("SELECT FROM corrections FOR UPDATE")  # a transaction that nobody ends
    after = Database(emptied(shared_database))
    async with after.reading() as session:
        counts = {
            table.name: await session.scalar(select(func.count()).select_from(table))
            for table in Base.metadata.tables.values()
        }
        state = (await session.scalars(select(MemoryState))).one()
    assert {name for name, count in counts.items() if count} == {MemoryState.__tablename__}
    assert (state.id, state.version) == (1, 0)
    assert await after.state() == "ok"
    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")
    left.close()
    await after.close()

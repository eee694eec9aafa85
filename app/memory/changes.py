"""Tells every process's memory which sentences it must read again, in the transaction that changes them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import insert, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.tables import MemoryChange, MemoryState, now

CHANNEL = "traghetto_memory"
"""Of PostgreSQL's NOTIFY."""
STATE_ID = 1
ROWS_AT_ONCE = 500


async def touch(session: AsyncSession, keys: Iterable[tuple[str, str]]) -> int | None:
    """Note that what memory answers for these (pair, source key) may have changed; None if there are none.

    The row of `MemoryState` stays locked until the transaction ends, so that versions become visible in their order:
    a reader that has seen one has seen all before it. Call it last, for others wait.
    """
    touched = sorted(set(keys))
    if not touched:
        return None
    bump = update(MemoryState).where(MemoryState.id == STATE_ID).values(version=MemoryState.version + 1)
    version = (await session.execute(bump.returning(MemoryState.version))).scalar_one()
    moment = now()
    rows = [{"version": version, "pair": pair, "source_key": key, "changed_at": moment} for pair, key in touched]
    for start in range(0, len(rows), ROWS_AT_ONCE):
        await session.execute(insert(MemoryChange), rows[start : start + ROWS_AT_ONCE])
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(
            text("SELECT pg_notify(:channel, :version)"), {"channel": CHANNEL, "version": str(version)}
        )
    return int(version)

"""Locks between processes: on PostgreSQL advisory ones, on SQLite none, where only one transaction writes anyway."""

from __future__ import annotations

import enum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


class Lock(enum.IntEnum):
    """What only one transaction may do at a time. Any numbers that nothing else uses."""

    DECISIONS = 7_236_201_811
    """Decide about corrections, or describe model versions."""
    SUBMISSIONS = 7_236_201_812
    """Store a correction: others are counted, its idempotency key is looked up. After `DECISIONS`, if with it."""
    CONSENTED = 7_236_201_813
    """Store texts of clients without a key, which are counted first."""


async def lock(session: AsyncSession, which: Lock) -> None:
    """Wait for the others, and keep them waiting until the transaction ends. What was read before may have changed
    meanwhile: read it afterwards."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": int(which)})

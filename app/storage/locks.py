"""Locks between processes: on PostgreSQL advisory ones, on SQLite none, where only one transaction writes anyway."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator

import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import DatabaseDown
from app.storage.notices import FOR_GOOD, psycopg_arguments


class Lock(enum.IntEnum):
    """What only one transaction may do at a time. Any numbers that nothing else uses."""

    DECISIONS = 7_236_201_811
    """Decide about corrections, or describe model versions."""
    SUBMISSIONS = 7_236_201_812
    """Store a correction: others are counted, its idempotency key is looked up. After `DECISIONS`, if with it."""
    CONSENTED = 7_236_201_813
    """Store texts of clients without a key, which are counted first."""
    RETRAINING = 7_236_201_814
    """Retrain, on servers that share a database and no data directory; held for hours, by `held`."""


async def lock(session: AsyncSession, which: Lock) -> None:
    """Wait for the others, and keep them waiting until the transaction ends. What was read before may have changed
    meanwhile: read it afterwards."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": int(which)})


@contextlib.contextmanager
def held(url: str, which: Lock) -> Iterator[bool]:
    """Try to hold a lock while this lasts, on a connection to PostgreSQL of its own; False: somebody else holds it.

    Raises:
        DatabaseDown: the database cannot be reached.
    """
    try:
        connection = psycopg.connect(**psycopg_arguments(url))
        with contextlib.ExitStack() as stack:
            stack.callback(connection.close)
            connection.execute(FOR_GOOD)
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (int(which),)).fetchone()
            stack.pop_all()
    except (psycopg.Error, OSError) as error:
        raise DatabaseDown from error
    with contextlib.closing(connection):
        yield bool(row and row[0])

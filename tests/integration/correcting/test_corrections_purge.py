"""A purge beside decisions: what is approved at that moment stays."""

from __future__ import annotations

import asyncio

import pytest
from patience import eventually
from sqlalchemy import select, text
from stored import correction, store

from app.access.client import Client
from app.corrections import retention
from app.corrections.review import Reviewing
from app.scopes import ALL_SCOPES
from app.storage.db import Database
from app.storage.housekeeping import in_slices
from app.storage.tables import APPROVED, REJECTED, Correction

WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
DAYS = 30


async def purge(database: Database) -> int:
    return await in_slices(database, lambda session: retention.purge_corrections(session, DAYS))


@pytest.mark.postgres
@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_a_correction_that_is_approved_while_old_ones_are_deleted_stays(database: Database) -> None:
    old, again = [
        correction(source, "It.", REJECTED, minutes=-60 * 24 * 2 * DAYS) for source in ("Vecchio.", "Di nuovo.")
    ]
    ids = await store(database, old, again)
    other = Database(database.url)

    async def waits() -> bool:
        async with database.reading() as session:
            return bool(await session.scalar(WAITING))

    async with Reviewing(other, 1).begin() as review:
        row = (await review.find([ids[1]]))[ids[1]]
        review.approve(row, Client("local", ALL_SCOPES))
        await review.settle()  # written, but not committed yet
        purging = asyncio.create_task(purge(database))
        await eventually(waits, "the purge waits for the decision")
    assert await purging == 1
    async with database.reading() as session:
        left = (await session.scalars(select(Correction))).all()
    await other.close()
    assert [(one.id, one.status) for one in left] == [(ids[1], APPROVED)], "what was just approved is lost"


async def test_what_is_old_and_decided_against_is_deleted(database: Database) -> None:
    minutes = -60 * 24 * 2 * DAYS
    rows = [correction(f"Frase {status}.", "It.", status, minutes=minutes) for status in (REJECTED, APPROVED)]
    await store(database, *rows, correction("Frase nuova.", "It.", REJECTED))
    assert await purge(database) == 1
    async with database.reading() as session:
        left = set((await session.scalars(select(Correction.source_text))).all())
    assert left == {f"Frase {APPROVED}.", "Frase nuova."}

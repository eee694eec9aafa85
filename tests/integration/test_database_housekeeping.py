"""Writers beside large work: consented texts during an import, and purges that let others write."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from corrections_kit import app_on, people_of
from sqlalchemy import event, func, insert, select

from app.access.client import Client
from app.corrections import retention
from app.corrections.importing import Importer
from app.corrections.records import Entry, Record
from app.memory.changes import touch
from app.scopes import ALL_SCOPES
from app.settings import Settings
from app.storage.consent_log import Consented, ConsentLog
from app.storage.db import Database
from app.storage.housekeeping import SLICE_ROWS, in_slices
from app.storage.tables import LoggedTranslation, MemoryChange, now
from app.translating.detection import Detection

IMPORTED, FILES = 8_000, 4
PURGED = 25 * SLICE_ROWS
LONG_AGO = dt.timedelta(days=100)


def consented(text: str) -> Consented:
    return Consented("it", "en", text, text.upper(), "v1")


async def logged(database: Database) -> int:
    async with database.reading() as session:
        return await session.scalar(select(func.count()).select_from(LoggedTranslation)) or 0


def entries(file: int) -> Iterator[Entry]:
    """Of one of `FILES`."""
    for number in range(file, IMPORTED, FILES):
        texts = {"source_text": f"Il gatto {number} dorme.", "corrected_translation": f"Cat {number} sleeps."}
        yield Entry(number + 1, Record(source="it", target="en", **texts))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_consented_texts_are_stored_while_files_are_imported(database: Database, tmp_path: Path) -> None:
    """Round the line of writers they would be dropped: SQLite's own wait lets the next chunk go first."""
    importer = Importer(
        database, Settings(data_dir=tmp_path), lambda text: Detection("it" if "gatto" in text else "en", 1.0)
    )
    keeper = ConsentLog(database, retention_days=90)
    stored: list[bool] = []
    client = Client("local", ALL_SCOPES)
    running = asyncio.gather(*(importer.run(entries(file), client, approve=True) for file in range(FILES)))
    while not running.done():
        sent = (keeper.store([consented(f"frase {len(stored)} {number}")]) for number in range(5))
        stored += await asyncio.gather(*sent)
    assert sum(report.approved for report in await running) == IMPORTED
    assert len(stored) >= 20, "the import was over before anything was sent"
    assert all(stored), f"{stored.count(False)} of {len(stored)} texts were dropped"
    assert await logged(database) == len(stored)


@pytest.mark.timeout(300)
async def test_a_large_purge_lets_writers_in_between(database: Database) -> None:
    row = {"source": "it", "target": "en", "source_text": "a", "translation": "b", "created_at": now() - LONG_AGO}
    async with database.writing() as session:
        await session.execute(insert(LoggedTranslation), [row | {"id": uuid.uuid4()} for _ in range(PURGED)])
    keeper = ConsentLog(database, retention_days=30)
    deleted_before: list[int] = []
    deleted = 0

    def note(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        nonlocal deleted
        if statement.startswith("DELETE"):
            assert cursor.rowcount <= SLICE_ROWS, "one transaction deletes too much"
            deleted += cursor.rowcount

    event.listen(database.engine.sync_engine, "after_cursor_execute", note)
    purging = asyncio.create_task(keeper.purge())
    written = 0
    while not purging.done():
        assert await keeper.store([consented("ciao")])
        written += 1
        deleted_before.append(deleted)
    assert await purging == PURGED
    assert len(set(deleted_before)) > 10, "writers waited for most of the purge"
    assert await logged(database) == written


async def test_notes_for_memory_are_purged_in_whole_versions(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a version that is half purged, a memory that comes back would read only the other half."""
    monkeypatch.setattr(retention, "SLICE_ROWS", 7)
    for version in range(4):
        async with database.writing() as session:
            await touch(session, [("it-en", f"{version}{key:031x}") for key in range(5)])
    async with database.writing() as session:
        moments = MemoryChange.__table__.update().where(MemoryChange.version <= 3)
        await session.execute(moments.values(changed_at=now() - dt.timedelta(days=2)))
    left: list[list[int]] = []

    async def delete_some(session: Any) -> int:
        count = await retention.purge_changes(session)
        versions = await session.scalars(select(MemoryChange.version).order_by(MemoryChange.version))
        left.append(list(versions))
        return count

    assert await in_slices(database, delete_some) == 15
    assert left == [[3] * 5 + [4] * 5, [4] * 5, [4] * 5]


# --- how much strangers may bring ------------------------------------------------------------------------------------


async def test_texts_without_a_key_are_limited_by_the_day(url: str, database: Database, tmp_path: Path) -> None:
    async with people_of(app_on(url, tmp_path, log_keyless_per_day=3)) as people:

        async def send(client: Any, *texts: str) -> tuple[list[str], list[bool]]:
            body = {"text": texts, "source": "it", "target": "en", "log_consent": True}
            answer = await client.post("/v1/translate", json=body)
            assert answer.status_code == 200, "the translation is what was asked for"
            found = answer.json()["translations"]
            return [one["text"] for one in found], [one["logged"] for one in found]

        assert (await send(people.stranger, "uno", "due"))[1] == [True, True]
        assert await send(people.stranger, "tre", "quattro") == (["TRE", "QUATTRO"], [False, False]), "all or none"
        assert (await send(people.stranger, "cinque"))[1] == [True]
        assert (await send(people.stranger, "sei"))[1] == [False]
        assert await logged(database) == 3
        assert (await send(people.admin, "sei", "sette"))[1] == [True, True], "who has a key is known"
        async with database.writing() as session:
            earlier = LoggedTranslation.__table__.update().values(created_at=now() - dt.timedelta(hours=25))
            await session.execute(earlier)
        assert (await send(people.stranger, "otto"))[1] == [True]

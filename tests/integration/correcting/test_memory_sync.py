"""Memory of several servers on one database, SQLite and a real PostgreSQL: what one stores, all answer soon."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from databases import migrated
from fakes import body, client_of, make_app, one
from patience import PATIENCE_S, eventually
from sqlalchemy import delete, func, make_url, select, update
from stored import correction, store

from app.memory.changes import touch
from app.memory.store import Memory, source_key
from app.memory.sync import MAX_CHANGES, MemorySync
from app.metrics import Metrics
from app.storage.db import Database
from app.storage.tables import PENDING, REJECTED, Correction, MemoryChange, MemoryState


@pytest.fixture
async def sync(database: Database) -> AsyncIterator[tuple[MemorySync, Memory]]:
    """A memory and its sync, not running."""
    memory = Memory(Metrics())
    made = MemorySync(Database(database.url), memory)
    yield made, memory
    await made.close()


async def settle(clients: Iterable, text: str, expected: str) -> list[dict]:
    """Ask all `clients` until each answers `expected`."""
    answers = []
    for client in clients:

        async def answers_so(client: Any = client) -> bool:
            return (await one(client, body(text)))["text"] == expected

        await eventually(answers_so, f"{expected!r} is the answer")
        answers.append(await one(client, body(text)))
    return answers


async def test_two_servers_answer_what_a_third_process_approved_and_forget_what_it_took_back(
    database: Database, tmp_path: Path
) -> None:
    (before,) = await store(database, correction("Buonanotte.", "Good night."))
    async with contextlib.AsyncExitStack() as stack:
        apps = [make_app(tmp_path, database_url=database.url) for _ in range(2)]
        clients = [await stack.enter_async_context(client_of(app)) for app in apps]
        for client in clients:  # at the first request, without any waiting
            assert (await one(client, body("buonanotte")))["correction_ids"] == [str(before)]
        (id_,) = await store(database, correction("Ho fame.", "I'm hungry."))
        for answer in await settle(clients, "Ho fame.", "I'm hungry."):
            assert (answer["from_memory"], answer["correction_ids"]) == (True, [str(id_)])
        async with database.writing() as session:
            await session.execute(update(Correction).where(Correction.id == id_).values(status=REJECTED))
            await touch(session, [("it-en", source_key("Ho fame."))])
        await settle(clients, "Ho fame.", "HO FAME.")
        async with database.writing() as session:
            await session.execute(delete(Correction).where(Correction.id == before))
            await touch(session, [("it-en", source_key("Buonanotte."))])
        for answer in await settle(clients, "Buonanotte.", "BUONANOTTE."):
            assert (answer["from_memory"], answer["model_version"]) == (False, "fake-1")


async def test_an_own_change_acts_at_once(database: Database, tmp_path: Path) -> None:
    app = make_app(tmp_path, database_url=database.url)
    async with client_of(app) as client:
        for number in range(5):
            await store(database, correction("Ho fame.", f"I'm hungry {number}.", minutes=number))
            await app.state.services.memory_sync.refresh()  # what the corrections service calls after a commit
            assert (await one(client, body("Ho fame.")))["text"] == f"I'm hungry {number}."


async def test_only_the_newest_approved_answers(database: Database, sync: tuple[MemorySync, Memory]) -> None:
    keeper, memory = sync
    await store(
        database,
        correction("Ho fame.", "newest but pending", PENDING, minutes=3),
        correction("Ho fame!", "I'm hungry!", minutes=2),
        correction("ho fame", "old", minutes=1),
        correction("Ho sete.", "not approved", REJECTED),
    )

    def found() -> list[str | None]:
        hits = [memory.find("it-en", text) for text in ("Ho fame.", "Ho sete.")]
        return [hit and hit.text for hit in hits]

    await keeper.load()
    assert (found(), len(memory)) == (["I'm hungry.", None], 1)
    await store(database, correction("Ho fame.", "older than all", minutes=-1), correction("Ho sete.", "I'm thirsty."))
    await keeper.refresh()
    assert (found(), len(memory)) == (["I'm hungry.", "I'm thirsty."], 2)


async def test_all_pages_are_loaded(
    database: Database, sync: tuple[MemorySync, Memory], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, memory = sync
    monkeypatch.setattr("app.memory.sync.ROWS_AT_ONCE", 7)
    monkeypatch.setattr("app.memory.sync.KEYS_AT_ONCE", 3)
    await store(database, *[correction(f"Frase {index}.", f"Sentence {index}.") for index in range(50)])
    await keeper.load()
    await store(database, *[correction(f"Frase {index}.", f"Phrase {index}.", minutes=1) for index in range(20)])
    await keeper.refresh()
    for index in range(50):
        hit = memory.find("it-en", f"Frase {index}.")
        assert hit is not None and hit.text == f"{'Phrase' if index < 20 else 'Sentence'} {index}."


async def test_purged_changes_mean_reading_all_again(database: Database, sync: tuple[MemorySync, Memory]) -> None:
    keeper, memory = sync
    await store(database, correction("Ho fame.", "I'm hungry."))
    await keeper.load()
    gone = ("it-en", source_key("Ho fame."))
    for purged in ("the first", "all"):
        async with database.writing() as session:
            await session.execute(update(Correction).values(status=REJECTED))
            await touch(session, [gone])
        await store(database, correction(f"Frase {purged}.", "Sentence."))
        async with database.writing() as session:
            newest = await session.scalar(select(func.max(MemoryChange.version)))
            old = MemoryChange.version < newest if purged == "the first" else MemoryChange.version <= newest
            await session.execute(delete(MemoryChange).where(old))
        await keeper.refresh()
        assert memory.find("it-en", "Ho fame.") is None, "the change that rejected it was purged"
        assert memory.find("it-en", f"Frase {purged}.") is not None
        assert len(memory) == 1


async def test_too_many_changes_and_an_older_database_mean_reading_all_again(
    database: Database, sync: tuple[MemorySync, Memory]
) -> None:
    keeper, memory = sync
    await store(database, correction("Ho fame.", "I'm hungry."))
    await keeper.load()
    async with database.writing() as session:
        session.add(correction("Ho sete.", "I'm thirsty."))
        keys = [("it-en", f"{index:032x}") for index in range(MAX_CHANGES)]
        await touch(session, [*keys, ("it-en", source_key("Ho sete."))])
    await keeper.refresh()
    assert len(memory) == 2
    async with database.writing() as session:  # a copy from before was put back
        await session.execute(delete(Correction).where(Correction.source_text == "Ho sete."))
        await session.execute(update(MemoryState).values(version=0))
    await keeper.refresh()
    assert len(memory) == 1


async def test_callers_share_a_look(
    database: Database, sync: tuple[MemorySync, Memory], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, memory = sync
    await keeper.load()
    looks = 0
    update_ = keeper._update

    async def counted() -> None:
        nonlocal looks
        looks += 1
        await update_()

    monkeypatch.setattr(keeper, "_update", counted)
    await store(database, correction("Ho fame.", "I'm hungry."))
    await asyncio.gather(*[keeper.refresh() for _ in range(50)])
    assert len(memory) == 1
    assert looks <= 2, "50 callers at once need the look that had begun, and one after it"


@pytest.mark.postgres
@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_a_notification_is_enough(
    database: Database, sync: tuple[MemorySync, Memory], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.memory.sync.POSTGRES_POLL_S", 3600.0)
    keeper, memory = sync
    task = asyncio.create_task(keeper.run())
    await asyncio.wait_for(keeper.ready.wait(), PATIENCE_S)
    for count in (1, 2, 3):
        await store(database, correction(f"Frase {count}.", "Sentence."))
        await eventually(lambda count=count: len(memory) == count, "the notification was heard")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.postgres
@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_a_lost_notification_is_made_up_for(
    database: Database, sync: tuple[MemorySync, Memory], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.memory.sync.CHANNEL", "nobody_sends_here")
    keeper, memory = sync
    task = asyncio.create_task(keeper.run())
    await asyncio.wait_for(keeper.ready.wait(), PATIENCE_S)
    await store(database, correction("Ho fame.", "I'm hungry."))
    await eventually(lambda: len(memory) == 1, "the version was polled")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.postgres
@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_connections_that_the_server_ends_are_made_again(
    database: Database, sync: tuple[MemorySync, Memory], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "traghetto.memory")
    keeper, memory = sync
    task = asyncio.create_task(keeper.run())
    await asyncio.wait_for(keeper.ready.wait(), PATIENCE_S)
    plain = make_url(database.url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        for count in (1, 2, 3):
            ended = connection.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()
            assert ended is not None and ended[0] >= 1
            await store(database, correction(f"Frase {count}.", "Sentence."))
            await eventually(
                lambda count=count: len(memory) == count, "memory goes on after its connections were ended"
            )
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "memory is kept up to date again" in caplog.text


async def test_a_database_that_is_down_is_told_once_and_memory_answers_what_it_has(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.memory.sync.RETRY_S", (0.01,))
    caplog.set_level(logging.INFO, "traghetto")
    file = tmp_path / "test.db"
    url = f"sqlite+aiosqlite:///{file}"
    migrated(url)
    database, memory = Database(url), Memory(Metrics())
    await store(database, correction("Ho fame.", "I'm hungry."))
    keeper = MemorySync(Database(url), memory)
    tries = 0
    reading = keeper._reading

    def counted() -> contextlib.AbstractAsyncContextManager:
        nonlocal tries
        tries += 1
        return reading()

    monkeypatch.setattr(keeper, "_reading", counted)
    task = asyncio.create_task(keeper.run())
    await eventually(lambda: len(memory) == 1, "loaded")
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("ALTER TABLE memory_state RENAME TO elsewhere")
    tries = 0
    await eventually(lambda: tries > 10, "it goes on trying")
    await keeper.refresh()  # must not raise: the correction that calls it is stored
    assert memory.find("it-en", "Ho fame.") is not None
    await store_blindly(file)
    await eventually(lambda: len(memory) == 2, "it goes on when the database is back")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await keeper.close()
    await database.close()
    assert caplog.text.count("cannot be kept up to date") == 1
    assert caplog.text.count("kept up to date again") == 1


async def store_blindly(file: Path) -> None:
    """Bring `memory_state` back, and store one more correction."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("ALTER TABLE elsewhere RENAME TO memory_state")
    database = Database(f"sqlite+aiosqlite:///{file}")
    await store(database, correction("Ho sete.", "I'm thirsty."))
    await database.close()

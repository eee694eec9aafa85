"""A memory that takes long to load at the start holds up nobody who approves, and loses nothing of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from corrections_kit import CORRECTED, SOURCE, app_on, decided, people_of, submitted, translated
from patience import PATIENCE_S, eventually
from stored import correction, store

from app.memory import sync
from app.memory.store import Memory
from app.memory.sync import MemorySync
from app.metrics import Metrics
from app.storage.db import Database


class Gate:
    """Holds up every first load while it is closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._open, self.waiting = asyncio.Event(), asyncio.Event()
        load = MemorySync._load

        async def slow(keeper: MemorySync) -> None:
            self.waiting.set()
            await self._open.wait()
            await load(keeper)

        monkeypatch.setattr(MemorySync, "_load", slow)

    def open(self) -> None:
        self._open.set()


async def until_it_answers(client: Any, expected: str) -> None:
    async def so() -> bool:
        return await translated(client, SOURCE) == expected

    await eventually(so, f"memory answers {expected!r}: what was approved meanwhile is lost")


async def test_an_approval_does_not_wait_for_the_first_load(
    url: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "REFRESH_WAIT_S", 0.2)
    await store(database, correction("Ho fame.", "I'm hungry."))
    gate = Gate(monkeypatch)
    async with people_of(app_on(url, tmp_path)) as people:
        await asyncio.wait_for(gate.waiting.wait(), PATIENCE_S)
        sent = await submitted(people.stranger)
        async with asyncio.timeout(PATIENCE_S):
            assert (await decided(people.admin, sent, "approve"))["state"] == "in memory"
            for _ in range(3):  # nor do those that follow
                await decided(people.admin, sent, "reject", reason="no")
                await decided(people.admin, sent, "approve")
        gate.open()
        await until_it_answers(people.stranger, CORRECTED)
        assert await translated(people.stranger, "Ho fame.") == "I'm hungry."


async def test_who_goes_away_stops_no_look(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    memory = Memory(Metrics())
    keeper = MemorySync(Database(database.url), memory)
    await store(database, correction(SOURCE, CORRECTED))
    waiting = asyncio.create_task(keeper.refresh())
    await asyncio.wait_for(gate.waiting.wait(), PATIENCE_S)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    gate.open()
    await eventually(lambda: len(memory), "the look goes on without who had asked for it")
    await keeper.close()


async def test_closing_ends_a_look_that_never_ends(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "REFRESH_WAIT_S", 0.05)
    Gate(monkeypatch)
    keeper = MemorySync(Database(database.url), Memory(Metrics()))
    await store(database, correction(SOURCE, CORRECTED))
    await keeper.refresh()
    async with asyncio.timeout(PATIENCE_S):
        await keeper.close()

"""What keeps memory, purges and retraining going: a database that is away is waited for, a fault is told."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes import client_of, make_app
from patience import eventually
from sqlalchemy.exc import IntegrityError

from model.errors import ModelError

FAULTS = [
    ("memory", "app.memory.sync.MemorySync._update", ValueError("not in the card")),
    ("memory", "app.memory.sync.MemorySync._update", IntegrityError("INSERT", {}, Exception("unique"))),
    ("purging of stored texts", "app.storage.consent_log.ConsentLog.purge", IntegrityError("x", {}, Exception("x"))),
    ("purging of corrections", "app.corrections.service.Corrections.purge", OSError("no space")),
    ("retraining", "app.retraining.service.clear_leftovers", ModelError("the pointer is damaged")),
]


async def problems(client: httpx.AsyncClient) -> dict[str, str]:
    found: dict[str, str] = (await client.get("/health/ready")).json()["background"]
    return found


@pytest.mark.parametrize(("name", "where", "fault"), FAULTS, ids=lambda one: one if isinstance(one, str) else "")
async def test_a_fault_is_told(
    name: str, where: str, fault: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> None:
        raise fault

    monkeypatch.setattr(where, fails)
    async with client_of(make_app(tmp_path)) as client:
        await eventually(lambda: told(client, name), f"{name} is told")
        assert type(fault).__name__ in (await problems(client))[name]


async def told(client: httpx.AsyncClient, name: str) -> bool:
    return name in await problems(client)


async def test_a_database_that_is_away_is_no_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = make_app(tmp_path)
    async with client_of(app) as client:
        with contextlib.closing(sqlite3.connect(tmp_path / "traghetto.db")) as connection:
            connection.execute("ALTER TABLE memory_state RENAME TO elsewhere")
        await eventually(lambda: "memory cannot be kept up to date" in caplog.text, "memory finds it away")
        assert await problems(client) == {}

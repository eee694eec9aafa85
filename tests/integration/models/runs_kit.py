"""What tests of retraining by HTTP share: a server that begins a stand-in for it, and clients that begin and watch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import stand_in_retrain
from fakes import FakeTranslator, fake_detect
from fastapi import FastAPI
from stored import correction, store

from app.main import create_app
from app.settings import Settings
from app.storage.db import Database

PAIR, PATH = "it-en", "/v1/retraining"
PATIENCE_S = 60.0
"""A process imports torch."""


def make(settings: Settings, control: Path) -> FastAPI:
    return create_app(
        settings, lambda: {PAIR: FakeTranslator()}, detect=fake_detect, retrain=stand_in_retrain.command(control)
    )


async def approve(settings: Settings, *sources: str) -> None:
    database = Database(settings.database)
    await store(database, *(correction(source, f"{source}!") for source in sources))
    await database.close()


async def begun(client: httpx.AsyncClient, **body: Any) -> str:
    response = await client.post(PATH, json={"pair": PAIR, **body}, timeout=PATIENCE_S)
    assert response.status_code == 202, response.text
    answer = response.json()
    assert answer["events"] == f"{PATH}/{answer['id']}/events"
    return str(answer["id"])


def parsed(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """The events of a stream: number, name, facts."""
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "event" in fields:
            yield int(fields["id"]), fields["event"], json.loads(fields["data"])


async def watched(
    client: httpx.AsyncClient, id: str, after: int | None = None
) -> list[tuple[int, str, dict[str, Any]]]:
    """All events of a run, which ends."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    async with asyncio.timeout(PATIENCE_S):
        response = await client.get(f"{PATH}/{id}/events", headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    return list(parsed(response.text))

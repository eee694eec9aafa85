"""What the tests of corrections share: a database of either kind, a server on it, and people with keys."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from databases import emptied, migrated, new_database
from fakes import FakeTranslator, client_of
from fastapi import FastAPI

from app.access.keys import Keys
from app.main import create_app
from app.settings import Settings, load_settings
from app.translating.detection import detect

KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
ADMIN_KEY = "0123456789abcdef"
PATH = "/v1/corrections"
SOURCE = "Il traghetto parte alle sette e mezza."
MACHINE = "The ferry leaves at seven."
CORRECTED = "The ferry leaves at half past seven."


def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated database without rows, of the kind `request.param`. Tables may not be changed: take `empty` for it."""
    if request.param == "sqlite":
        return migrated(_file_in(tmp_path))
    return emptied(request.getfixturevalue("shared_database"))


def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new, empty database of the kind `request.param`; on PostgreSQL one with a random name, dropped again."""
    if request.param == "sqlite":
        yield _file_in(tmp_path)
        return
    with new_database(request.getfixturevalue("postgres_url")) as made:
        yield load_settings(database_url=made.render_as_string(hide_password=False)).database


def _file_in(folder: Path) -> str:
    return load_settings(database_url=f"sqlite:///{folder / 'test.db'}").database


def app_on(url: str, data_dir: Path, *, translator: FakeTranslator | None = None, **settings: Any) -> FastAPI:
    """A server on a migrated database, with real language detection and an administration key: it has no owner."""
    chosen = Settings(data_dir=data_dir, database_url=url, **({"admin_key": ADMIN_KEY} | settings))
    loaded = translator or FakeTranslator()
    return create_app(chosen, lambda: {loaded.pair: loaded}, detect=detect)


def draft(corrected: str = CORRECTED, source_text: str = SOURCE, machine: str = MACHINE, **more: Any) -> dict[str, Any]:
    """A submission from Italian to English."""
    return {
        "source": "it",
        "target": "en",
        "source_text": source_text,
        "machine_translation": machine,
        "corrected_translation": corrected,
    } | more


class People:
    """The clients of one server: a stranger without a key, authors and reviewers with one, and the administrator."""

    def __init__(self, app: FastAPI, stranger: httpx.AsyncClient) -> None:
        self.app = app
        self.stranger = stranger
        self.admin = self.holding(ADMIN_KEY)

    def holding(self, key: str) -> httpx.AsyncClient:
        """A client that sends `key`."""
        return self._with({"Authorization": f"Bearer {key}"})

    def in_session(self, token: str) -> httpx.AsyncClient:
        """A client without a key that sends `token`."""
        return self._with({"X-Traghetto-Session": token})

    def _with(self, headers: dict[str, str]) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers, timeout=30)

    async def author(self, *, trusted: bool = False) -> httpx.AsyncClient:
        """A new client whose key may correct."""
        return await self._keyed("an author", "correct", trusted=trusted)

    async def author_who_reviews(self) -> httpx.AsyncClient:
        """A new client whose key may correct and review."""
        return await self._keyed("an author who reviews", "correct", "review")

    async def reviewer(self) -> httpx.AsyncClient:
        """A new client whose key may review, and nothing else."""
        return await self._keyed("a reviewer", "review")

    async def _keyed(self, name: str, *scopes: Any, trusted: bool = False) -> httpx.AsyncClient:
        keys = Keys(self.app.state.services.database)
        made = await keys.create(f"{name} {uuid.uuid4().hex[:8]}", [*scopes], trusted=trusted)
        client = self.holding(made.secret)
        client.headers["X-Test-Key-Id"] = str(made.row.id)  # for the tests only
        return client


@contextlib.asynccontextmanager
async def people_of(app: FastAPI) -> AsyncIterator[People]:
    """The clients of `app`, which runs meanwhile."""
    async with client_of(app) as stranger:
        yield People(app, stranger)


async def submitted(client: httpx.AsyncClient, *texts: str, **more: Any) -> dict[str, Any]:
    """What the server answers to a correction that it takes."""
    response = await client.post(PATH, json=draft(*texts, **more))
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def state(client: httpx.AsyncClient, correction: dict[str, Any]) -> str:
    """What became of `correction`."""
    response = await client.get(f"{PATH}/{correction['id']}")
    assert response.status_code == 200, response.text
    return str(response.json()["state"])


async def decided(client: httpx.AsyncClient, correction: dict[str, Any], action: str, **body: Any) -> dict[str, Any]:
    """The answer to approving or rejecting `correction`."""
    response = await client.post(f"{PATH}/{correction['id']}/{action}", json=body or None)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def translated(client: httpx.AsyncClient, text: str) -> str:
    """What the server answers for an Italian text."""
    response = await client.post("/v1/translate", json={"text": text, "source": "it", "target": "en"})
    assert response.status_code == 200, response.text
    return str(response.json()["translations"][0]["text"])

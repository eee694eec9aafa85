"""A server of both directions, whose models know the sentences of the pages that show how to ask it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from corrections_kit import ADMIN_KEY
from fakes import FakeTranslator, make_app, serving
from fastapi import FastAPI
from patience import wait_until

from model.config import SearchConfig
from model.translation import Translation

KNOWN = {
    "Il treno è in ritardo.": ("The train is late.", -0.0925, "The train's late."),
    "La farmacia chiude alle otto.": ("The pharmacy closes at eight.", -0.1762, "The pharmacy closed at eight."),
    "Vorrei prenotare una camera per due notti.": (
        "I'd like to book a room for two nights.", -0.1945, "I'd like to reserve a room for two nights.",
    ),
    "Il mare è calmo stamattina.": ("The sea is calm this morning.", -0.1384, "The sea is quiet this morning."),
    "Le chiavi sono sul tavolo.": ("The keys are on the table.", -0.1102, "Keys are on the table."),
}  # fmt: skip
"""Sentence -> what the shipped model says, how surely, and what it says next. Pages that cite it need no weights so."""


class Phrasebook(FakeTranslator):
    """Knows some sentences, and upper-cases the others."""

    def _one(self, text: str, search: SearchConfig, prefix: str) -> Translation:
        if text not in KNOWN:
            return super()._one(text, search, prefix)
        best, score, other = KNOWN[text]
        others = (Translation(other, score - 0.01, tokens=9),) if search.n_best > 1 else ()
        return Translation(best, score, (), others, tokens=9)


class Refusing:
    """`app`, but the first request to each API route gets 429, and is asked to come again after a second."""

    status, headers = 429, ((b"content-type", b"application/problem+json"), (b"retry-after", b"1"))

    def __init__(self, app: Any) -> None:
        self.app = app
        self.refused = 0
        self._lock = threading.Lock()
        self._known: set[str] = set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not self._is_first(scope["path"]):
            await self.app(scope, receive, send)
            return
        await self.before(scope, receive)
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": b""})

    async def before(self, scope: MutableMapping[str, Any], receive: Any) -> None:
        """What happens to a request that is refused."""

    def _is_first(self, path: str) -> bool:
        with self._lock:
            is_first = path.startswith("/v1/") and path not in self._known
            self._known.add(path)
            self.refused += is_first
            return is_first


class Losing(Refusing):
    """... or it does what is asked, and the answer is lost on its way through a proxy."""

    status, headers = 502, ((b"content-type", b"text/html"),)

    async def before(self, scope: MutableMapping[str, Any], receive: Any) -> None:
        async def lose(_message: MutableMapping[str, Any]) -> None:
            pass

        await self.app(scope, receive, lose)


def phrasebook_in(folder: Path) -> FastAPI:
    """A server with an administration key, where anybody may translate and correct."""
    both = Phrasebook(version="default"), Phrasebook("en-it", version="default")
    return make_app(folder, *both, admin_key=ADMIN_KEY)


@contextlib.contextmanager
def ready(app: Any) -> Iterator[str]:
    """The address of `app`, which translates already: curl is not patient unless it is told to be."""
    with serving(app) as address:
        wait_until(lambda: httpx.get(f"{address}/health/ready").is_success, "the test server translates")
        yield address


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where one listens."""
    with ready(phrasebook_in(tmp_path_factory.mktemp("phrasebook"))) as one:
        yield one


@pytest.fixture
def phrasebook(tmp_path: Path) -> FastAPI:
    """One that nobody serves yet."""
    return phrasebook_in(tmp_path)


@pytest.fixture
def refusing(phrasebook: FastAPI) -> Iterator[tuple[str, Refusing]]:
    """Where one listens that has too much to do at first, and it."""
    app = Refusing(phrasebook)
    with ready(app) as one:
        yield one, app


@pytest.fixture
def losing(phrasebook: FastAPI) -> Iterator[tuple[str, Refusing]]:
    """Where one listens whose first answers are lost, and it."""
    app = Losing(phrasebook)
    with ready(app) as one:
        yield one, app

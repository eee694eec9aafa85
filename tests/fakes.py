"""Stand-ins with the real interfaces: a translator without a network, a detector."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from databases import migrated
from fastapi import FastAPI
from patience import wait_until

from app.engine.engine import Engine
from app.engine.limits import EngineLimits
from app.http.connections import Connection
from app.main import create_app
from app.metrics import Metrics
from app.settings import Settings
from app.translating.detection import Detection
from model.config import SearchConfig
from model.translation import Translation, Word

BOOM = "boom"
"""A sentence with this word makes `FakeTranslator` raise."""
UNSURE = "FORSE"
"""A word that `FakeTranslator` is not sure of."""
BABBLE = "babble"
"""The first translation of a sentence with this word is faulty, the second is not."""


@dataclass
class FakeTranslator:
    """Upper-cases. One token a word. Keeps the texts of each batch in `batches`."""

    pair: str = "it-en"
    version: str = "fake-1"
    max_source_tokens: int = 200
    is_shared: bool = False
    """Whether several threads may call it at once."""
    seconds_per_batch: float = 0.0
    fails: bool = False
    """Every call raises."""
    loses_one: bool = False
    """Every call gives one translation too few."""
    batches: list[list[str]] = field(default_factory=list)
    searches: list[SearchConfig] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    """Closed (clear) holds the engine's thread in `translate`."""
    entered: threading.Event = field(default_factory=threading.Event)
    """Set when a batch is being translated."""

    def __post_init__(self) -> None:
        self.gate.set()

    def translate_sentences(
        self,
        texts: Sequence[str],
        search: SearchConfig = SearchConfig(),  # noqa: B008
        prefixes: Sequence[str] = (),
    ) -> list[Translation]:
        self.batches.append(list(texts))
        self.searches.append(search)
        self.entered.set()
        if not self.gate.wait(timeout=20):
            raise TimeoutError("a test left the gate closed")
        time.sleep(self.seconds_per_batch)
        if self.fails or any(BOOM in text for text in texts):
            raise ValueError(f"cannot translate {texts}")
        begun = prefixes or [""] * len(texts)
        translations = [self._one(text, search, prefix) for text, prefix in zip(texts, begun, strict=True)]
        return translations[1:] if self.loses_one else translations

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def _one(self, text: str, search: SearchConfig, prefix: str) -> Translation:
        if BABBLE in text and search.beam == 1:
            return Translation("MENDED", -0.25) if search.retry else Translation("DRAFT", -0.25, faulty=True)
        upper = _begun(prefix, text.upper())
        words = tuple(Word(word, 0.1 if word == UNSURE else 0.9, (index,)) for index, word in enumerate(upper.split()))
        others = tuple(
            Translation(_begun(f"{prefix}W{rank} ", upper) if search.branches else f"{upper} ({rank})", -0.25 - rank,
                        tokens=len(words))
            for rank in range(1, search.n_best)
        )  # fmt: skip
        return Translation(upper, -0.25, words, others, tokens=len(words))


def _begun(prefix: str, upper: str) -> str:
    """As many words as `upper`, the first of them those of `prefix`."""
    given = prefix.split()
    return " ".join([*given, *upper.split()[len(given) :]]) if given else upper


def fake_detect(text: str) -> Detection:
    """English if it says `the`, else Italian if it has letters of theirs and is not Spanish."""
    if not any(char.isalpha() and char < "\u0250" for char in text):
        return Detection(None, 0.0)
    if "¿" in text:
        return Detection(None, 0.0, "es")
    return Detection("en" if "the" in text.lower().split() else "it", 0.9)


@contextlib.asynccontextmanager
async def running_engine(*translators: FakeTranslator, limits: EngineLimits) -> AsyncIterator[Engine]:
    """An engine that is ready; at the end every gate is opened and it is stopped."""
    engine = Engine(lambda: {one.pair: one for one in translators}, limits, Metrics())
    engine.start()
    try:
        await engine.wait_ready(5)
        yield engine
    finally:
        for one in translators:
            one.gate.set()
        await engine.stop(5)


def make_app(data_dir: Path, *translators: FakeTranslator, **settings: Any) -> FastAPI:
    """The whole server with fake translators, an empty database, and and a detector that is plain to see."""
    chosen = Settings(data_dir=data_dir, **settings)
    migrated(chosen.database)
    loaded = {one.pair: one for one in translators or (FakeTranslator(),)}
    return create_app(chosen, lambda: loaded, detect=fake_detect)


@contextlib.asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of `app`, which runs meanwhile, without sockets."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=30) as client,
    ):
        yield client


@contextlib.contextmanager
def serving(app: Any, http: type[Connection] = Connection, **more: Any) -> Iterator[str]:
    """The address of `app` on a free port, served by uvicorn in a thread as `traghetto serve` does."""
    config = uvicorn.Config(
        app, port=0, http=http, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=5,
        **({"proxy_headers": False} | more),
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{_port(server)}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)


def _port(server: uvicorn.Server) -> int:
    wait_until(lambda: server.started, "the test server starts")
    return int(server.servers[0].sockets[0].getsockname()[1])


def client_at(address: str, **more: Any) -> httpx.AsyncClient:
    """A client of the server at `address`, which has no TLS: to read the list of authorities takes 70 ms a client."""
    return httpx.AsyncClient(base_url=address, verify=False, **({"timeout": 60} | more))


def body(text: str | list[str], **more: Any) -> dict[str, Any]:
    """A request body from Italian to English."""
    return {"text": text, "source": "it", "target": "en", **more}


async def ask(client: httpx.AsyncClient, payload: dict) -> httpx.Response:
    return await client.post("/v1/translate", json=payload)


async def one(client: httpx.AsyncClient, payload: dict) -> dict:
    response = await ask(client, payload)
    assert response.status_code == 200, response.text
    (translation,) = response.json()["translations"]
    return translation


def problem(response: httpx.Response, status: int, slug: str) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found = response.json()
    assert found["type"] == (f"/problems/{slug}" if slug else "about:blank")
    assert found["status"] == status
    assert found["title"] and found["detail"]
    return found

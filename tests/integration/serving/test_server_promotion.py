"""Promotion and rollback on a running server: nothing is lost, and every answer is of the version that it names."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import torch
from databases import migrated
from fakes import body, client_at, client_of, fake_detect, one, problem, serving
from fastapi import FastAPI
from patience import eventually

from app.main import create_app
from app.settings import Settings
from app.versions.promotion import promote, rollback
from model.text.ids import EOS
from model.text.plan import plan_text
from model.translator import Translator
from model.versions import pointers, store

PAIR = "it-en"
KEY = "0123456789abcdef"
ADMIN = {"Authorization": f"Bearer {KEY}"}
CONNECTIONS, REQUESTS = 100, 1000
MOVES = (("b/promote", "b"), ("c/promote", "c"), ("rollback", "b"))
"""What is asked of the API, and which version is current then."""
SUBJECTS = ("Il gatto", "Mia sorella", "Un treno", "Questo libro")
REST = ("è nero.", "abita a Torino.", "parte domani.", "non c'è più.", "mi piace molto.", "costa 12 euro.")
SENTENCES = [f"{subject} {rest}" for subject in SUBJECTS for rest in REST]
TEXTS = [f"{first} {second}" for first, second in itertools.permutations(SENTENCES, 2)]


def make_version(data_dir: Path, name: str, seed: int) -> None:
    """A tiny untrained version that says other things than the others do."""
    like = store.load(data_dir / "models" / PAIR / "default")
    model, random = like.model, torch.Generator().manual_seed(seed)
    with torch.no_grad():
        model.output.bias += torch.rand(model.output.bias.shape, generator=random)
        model.output.bias[EOS] += 1.0
    store.save(data_dir / "models", PAIR, name, model, (like.source, like.target), {})


@pytest.fixture
def data_dir(tiny_data_dir: Path, tmp_path: Path) -> Path:
    """Versions `default`, `b` and `c`, all different, and a damaged one."""
    shutil.copytree(tiny_data_dir / "models", tmp_path / "models")
    for name, seed in (("b", 2), ("c", 3), ("damaged", 4)):
        make_version(tmp_path, name, seed)
    weights = tmp_path / "models" / PAIR / "damaged" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    return tmp_path


def settings_of(data_dir: Path, **more: str) -> Settings:
    return Settings(
        data_dir=data_dir, admin_key=KEY, device="cpu", torch_threads=1, default_beam=1, requests_per_address="none",
        **more,
    )  # type: ignore[arg-type]  # fmt: skip


def make(data_dir: Path, **more: str) -> FastAPI:
    settings = settings_of(data_dir, **more)
    migrated(settings.database)
    return create_app(settings, detect=fake_detect)


@dataclass
class Load:
    """Clients that ask without a pause, and everything that they were told."""

    answers: list[tuple[float, float, str, str, str]] = field(default_factory=list)
    """When it was sent and answered, what was asked, the translation, and the version named."""
    failures: list[str] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def client(self, address: str, texts: itertools.cycle[str]) -> None:
        """One connection of its own: a pool of 100 that all share one costs more than the translations."""
        async with client_at(address) as http:
            while not self.enough.is_set():
                await self.ask(http, next(texts))

    async def ask(self, http: httpx.AsyncClient, text: str) -> None:
        sent = time.monotonic()
        response = await http.post("/v1/translate", json=body(text))
        self.came.set()
        if response.status_code != 200:
            self.failures.append(response.text)
            return
        (answer,) = response.json()["translations"]
        self.answers.append((sent, time.monotonic(), text, answer["text"], answer["model_version"]))

    async def more(self, count: int) -> None:
        """Wait for that many further answers."""
        wanted = len(self.answers) + count
        while len(self.answers) + len(self.failures) < wanted:
            self.came.clear()
            await self.came.wait()


async def test_under_load_two_promotions_and_a_rollback_lose_nothing(data_dir: Path) -> None:
    load = Load()
    moves: list[tuple[float, float, str]] = []
    texts = itertools.cycle(TEXTS)
    no_pool = httpx.Limits(max_keepalive_connections=0)  # the server closes connections that are idle for long
    with serving(make(data_dir)) as address:
        async with client_at(address, limits=no_pool, headers=ADMIN) as admin:
            await one(admin, body("Pronto?"))
            clients = [asyncio.create_task(load.client(address, texts)) for _ in range(CONNECTIONS)]
            await load.more(REQUESTS // 4)
            for action, version in MOVES:
                started = time.monotonic()
                await move(admin, action, version)
                moves.append((started, time.monotonic(), version))
                await load.more(REQUESTS // 4)
            load.enough.set()
            await asyncio.gather(*clients)
    assert load.failures == []
    assert len(load.answers) >= REQUESTS
    _each_was_made_by_the_version_it_names(load, data_dir)
    _the_versions_follow_the_moves(load, moves)
    assert {answer[-1] for answer in load.answers} == {"default", "b", "c"}


async def test_a_thousand_requests_that_wait_at_once_are_all_answered_across_the_moves(data_dir: Path) -> None:
    load = Load()
    async with client_of(make(data_dir)) as client:
        client.headers.update(ADMIN)
        await one(client, body("Pronto?"))
        waiting = [asyncio.create_task(load.ask(client, text)) for text in itertools.islice(TEXTS * 2, REQUESTS)]
        await load.more(1)
        for action, version in MOVES:
            await move(client, action, version)
        await load.ask(client, TEXTS[0])
        await asyncio.gather(*waiting)
    assert load.failures == []
    assert len(load.answers) == REQUESTS + 1
    assert {"default", "b"} <= {answer[-1] for answer in load.answers}
    _each_was_made_by_the_version_it_names(load, data_dir)


async def move(client: httpx.AsyncClient, action: str, version: str) -> None:
    """A promotion or a rollback through the API, after which `version` serves."""
    moved = await client.post(f"/v1/models/{PAIR}/{action}")
    assert moved.status_code == 200, moved.text
    assert (moved.json()["version"], moved.json()["loaded"]) == (version, True)


def _each_was_made_by_the_version_it_names(load: Load, data_dir: Path) -> None:
    by_version: dict[str, dict[str, str]] = defaultdict(dict)
    for _, _, text, translation, version in load.answers:
        by_version[version][text] = translation
    assert set(by_version) <= {"default", "b", "c"}
    spoken = []
    for version, found in by_version.items():
        alone = Translator.load(data_dir / "models" / PAIR / version, "cpu", threads=1)
        said = dict(zip(SENTENCES, (each.text for each in alone.translate(SENTENCES)), strict=True))
        spoken.append(said)
        for text, translation in found.items():
            expected = " ".join(said[segment.text] for segment in plan_text(text, "it").segments)
            assert translation == expected, f"{version} does not say that: its answer was made by another version"
    assert len({tuple(said.values()) for said in spoken}) == len(spoken), "versions that agree cannot be told apart"


def _the_versions_follow_the_moves(load: Load, moves: list[tuple[float, float, str]]) -> None:
    """What was sent after a move was answered, and answered before the next began, was made by that version."""
    begins = [0.0, *(done for _, done, _ in moves)]
    ends = [*(started for started, _, _ in moves), float("inf")]
    for begin, end, version in zip(begins, ends, ["default", *(name for _, _, name in moves)], strict=True):
        seen = {named for sent, answered, _, _, named in load.answers if begin < sent and answered < end}
        assert seen == {version}


@pytest.fixture
async def client(data_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(make(data_dir)) as running:
        running.headers.update(ADMIN)
        await one(running, body("Pronto?"))
        yield running


async def version_of(client: httpx.AsyncClient) -> str:
    return str((await one(client, body("Il gatto è nero.")))["model_version"])


async def test_promote_and_roll_back_through_the_api(client: httpx.AsyncClient, data_dir: Path) -> None:
    moved = await client.post(f"/v1/models/{PAIR}/b/promote")
    assert (moved.status_code, moved.json()) == (
        200,
        {"pair": PAIR, "version": "b", "previous": "default", "loaded": True},
    )
    assert await version_of(client) == "b"
    listed = (await client.get("/v1/models")).json()["models"]
    marks = {model["version"]: (model["current"], model["loaded"]) for model in listed if model["pair"] == PAIR}
    assert marks["b"] == (True, True)
    assert marks["default"] == marks["c"] == (False, False)
    moved = await client.post(f"/v1/models/{PAIR}/rollback")
    assert (moved.json()["version"], moved.json()["previous"]) == ("default", "b")
    assert await version_of(client) == "default"
    assert store.find([data_dir / "models"], PAIR).name == "default"


async def test_what_cannot_be_promoted_is_a_problem_and_the_old_goes_on(client: httpx.AsyncClient) -> None:
    problem(await client.post(f"/v1/models/{PAIR}/nothing/promote"), 404, "not-found")
    problem(await client.post(f"/v1/models/{PAIR}/..b/promote"), 404, "not-found")
    problem(await client.post("/v1/models/fr-de/b/promote"), 404, "not-found")
    problem(await client.post("/v1/models/french/rollback"), 404, "not-found")
    found = problem(await client.post(f"/v1/models/{PAIR}/damaged/promote"), 409, "conflict")
    assert "SHA-256 differs" in found["detail"]
    found = problem(await client.post(f"/v1/models/{PAIR}/rollback"), 409, "conflict")
    assert "nothing to go back to" in found["detail"]
    assert await version_of(client) == "default"


async def test_moving_needs_a_key_that_may_administer(client: httpx.AsyncClient) -> None:
    for action in ("b/promote", "rollback"):
        wrong = {"Authorization": "Bearer wrong-wrong-wrong"}
        problem(await client.post(f"/v1/models/{PAIR}/{action}", headers=wrong), 401, "not-authorised")
    assert await version_of(client) == "default"


async def test_a_move_by_another_process_is_noticed(client: httpx.AsyncClient, data_dir: Path) -> None:
    """As by `traghetto models promote`, which only moves the pointer."""
    await asyncio.to_thread(promote, settings_of(data_dir), PAIR, "b")
    await _follows(client, "b")
    await asyncio.to_thread(rollback, settings_of(data_dir), PAIR)
    await _follows(client, "default")


async def test_a_store_that_is_away_is_told_and_nothing_moves(data_dir: Path, tmp_path: Path) -> None:
    app = make(data_dir, models_url=f"file://{tmp_path / 'store'}")
    async with client_of(app) as client:
        client.headers.update(ADMIN)
        await one(client, body("Pronto?"))
        for action in ("b/promote", "rollback"):
            found = problem(await client.post(f"/v1/models/{PAIR}/{action}"), 503, "store-down")
            assert found["detail"].startswith("The store of models does not answer. GET /v1/models tells whether")
        assert await version_of(client) == "default"
        (tmp_path / "store").mkdir()
        await move(client, "b/promote", "b")
        await move(client, "rollback", "default")


async def test_a_refusal_is_told_everywhere_and_the_old_goes_on(client: httpx.AsyncClient, data_dir: Path) -> None:
    pointers.promote([data_dir / "models"], PAIR, "damaged")  # without the checks, or damaged since then

    async def told() -> bool:
        return (await client.get("/health/ready")).json()["detail"] is not None

    await eventually(told, "the refusal is told")
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"], ready.json()["models"][PAIR]) == (200, "ready", "default")
    assert "SHA-256 differs" in ready.json()["detail"]
    listed = {model["version"]: model for model in (await client.get("/v1/models")).json()["models"]}
    assert listed["damaged"]["current"] and not listed["damaged"]["loaded"]
    assert "SHA-256 differs" in listed["damaged"]["problem"]
    assert f'traghetto_model_refusals_total{{pair="{PAIR}"}} 1.0' in (await client.get("/metrics")).text
    assert await version_of(client) == "default"
    moved = await client.post(f"/v1/models/{PAIR}/rollback")
    assert (moved.status_code, moved.json()["previous"]) == (200, "damaged")
    assert (await client.get("/health/ready")).json()["detail"] is None


async def _follows(client: httpx.AsyncClient, version: str) -> None:
    async def follows() -> bool:
        return await version_of(client) == version

    await eventually(follows, f"the server follows to {version}")

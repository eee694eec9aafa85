"""Keys on SQLite and on a real PostgreSQL, by hand and through the server; and what a server on localhost answers."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import pytest
from fakes import FakeTranslator, ask, body, client_of, fake_detect, make_app, one, problem, serving
from fastapi import Depends, FastAPI
from patience import eventually
from sqlalchemy import event, text
from sqlalchemy.exc import ProgrammingError

import app.access.keys
from app.access.client import Client
from app.access.keys import KEY_CHARS, KEY_START, Keys
from app.errors import Conflict, DatabaseDown, InvalidRequest, NotFound
from app.http.deps import client_with
from app.main import create_app
from app.scopes import SCOPES, Scope
from app.settings import Settings, load_settings
from app.storage.db import Database

ADMIN_KEY = "0123456789abcdef"
DEAD = "postgresql://somebody@127.0.0.1:1/nothing"
UNKNOWN = KEY_START + "x" * (KEY_CHARS - len(KEY_START))


class Queries:
    """Counts what a database is asked for keys."""

    def __init__(self, database: Database) -> None:
        self.count = 0
        event.listen(database.engine.sync_engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.count += "FROM api_keys" in statement


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def probed(made: FastAPI) -> FastAPI:
    """`made`, with a route for each scope at `/probe/SCOPE` that tells who asked."""

    def add(scope: Scope) -> None:
        async def probe(client: Annotated[Client, Depends(client_with(scope))]) -> dict[str, Any]:
            return {"name": client.name, "trusted": client.trusted}

        # Not `from __future__ import annotations`' text: `scope` is no global.
        probe.__annotations__ = {"client": Annotated[Client, Depends(client_with(scope))], "return": dict[str, Any]}
        made.add_api_route(f"/probe/{scope}", probe, methods=["GET", "POST", "DELETE"])

    for scope in SCOPES:
        add(scope)
    return made


# --- the store ------------------------------------------------------------------------------------------------------


async def test_a_key_is_made_found_listed_and_revoked(database: Database) -> None:
    keys = Keys(database)
    first = await keys.create("Anna", ["review", "correct"], trusted=True)
    second = await keys.create("the owner", ["admin"])
    assert first.secret != second.secret
    assert len(first.secret) == KEY_CHARS and first.secret.startswith(KEY_START)
    assert first.secret not in repr(first)
    listed = await Keys(database).list_all()
    assert [(row.name, row.scopes, row.trusted, row.revoked_at) for row in listed] == [
        ("Anna", ["correct", "review"], True, None),
        ("the owner", ["admin"], False, None),
    ]
    assert listed[0].prefix == first.secret[:16]
    anna = await keys.find(first.secret)
    assert anna == Client(str(first.row.id), frozenset(("correct", "review")), key_id=first.row.id, trusted=True)
    owner = await keys.find(second.secret)
    assert owner is not None and owner.scopes == set(SCOPES)
    revoked = await keys.revoke(first.row.prefix)
    assert (revoked.id, await keys.find(first.secret)) == (first.row.id, None)
    again = await keys.revoke(str(first.row.id))
    assert again.revoked_at == revoked.revoked_at
    assert await Keys(database).find(second.secret) is not None


async def test_only_the_hash_of_a_key_is_stored(database: Database) -> None:
    made = await Keys(database).create("Anna", ["review"])
    async with database.reading() as session:
        row = (await session.execute(text("SELECT * FROM api_keys"))).one()
    assert hashlib.sha256(made.secret.encode()).hexdigest() in row
    assert made.secret[len(made.row.prefix) :] not in str(row)


async def test_what_is_no_key_is_not_found(database: Database) -> None:
    keys = Keys(database)
    made = await keys.create("Anna", ["admin"])
    for wrong in ("", KEY_START, KEY_START + "è" * 43, UNKNOWN, UNKNOWN + "x", made.secret[:-1], f" {made.secret}"):
        assert await keys.find(wrong) is None, wrong


async def test_wrong_keys_to_make_or_to_end_are_refused(database: Database) -> None:
    keys = Keys(database)
    for name in ("", "  ", "x" * 101, "a\nb"):
        with pytest.raises(InvalidRequest, match="name"):
            await keys.create(name, ["admin"])
    with pytest.raises(InvalidRequest, match="scope"):
        await keys.create("Anna", [])
    with pytest.raises(NotFound, match="traghetto keys list") as refused:
        await keys.revoke(UNKNOWN)
    assert UNKNOWN not in str(refused.value)
    assert await keys.list_all() == []


async def test_a_prefix_of_two_keys_ends_neither(database: Database) -> None:
    keys = Keys(database)
    made = [await keys.create(name, ["review"]) for name in ("Anna", "Bruno")]
    async with database.writing() as session:
        await session.execute(text("UPDATE api_keys SET prefix = 'traghetto_same00'"))
    with pytest.raises(Conflict, match="by its id"):
        await keys.revoke("traghetto_same00")
    assert [await keys.find(one.secret) is not None for one in made] == [True, True]


async def test_other_processes_refuse_a_revoked_key_in_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert app.access.keys.REMEMBER_S <= 2
    monkeypatch.setattr(app.access.keys, "REMEMBER_S", 0.2)
    server, elsewhere = Keys(database), Keys(database)
    made = await elsewhere.create("Anna", ["review"])
    assert await server.find(made.secret) is not None
    await elsewhere.revoke(made.row.prefix)

    async def refused() -> bool:
        return await server.find(made.secret) is None

    await eventually(refused, "a revoked key works no more, with a memory of 0.2 s")


async def test_a_key_is_looked_up_once_for_all_who_send_it(database: Database) -> None:
    keys = Keys(database)
    made = await keys.create("Anna", ["review"])
    queries = Queries(database)
    assert all(await asyncio.gather(*(keys.find(made.secret) for _ in range(50))))
    assert not any(await asyncio.gather(*(keys.find(UNKNOWN) for _ in range(50))))
    assert queries.count == 2


async def test_trying_keys_fills_no_memory_and_drives_no_right_key_out(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.access.keys, "REMEMBER_S", 600.0)
    monkeypatch.setattr(app.access.keys, "REMEMBER_KEYS", 3)
    keys = Keys(database)
    made = await keys.create("Anna", ["review"])
    await keys.find(made.secret)
    queries = Queries(database)
    tried = [f"{UNKNOWN[:-2]}{number:02}" for number in range(10)]
    for wrong in tried:
        await keys.find(wrong)
    assert await keys.find(made.secret) is not None
    assert queries.count == 10, "the right key must still be known"
    for wrong in tried[-3:]:
        await keys.find(wrong)
    assert queries.count == 10, "the last wrong ones must still be known"
    await keys.find(tried[0])
    assert queries.count == 11, "an old wrong one must be forgotten"


async def test_who_goes_away_takes_nobody_else_along(database: Database) -> None:
    keys = Keys(database)
    made = await keys.create("Anna", ["review"])
    impatient = asyncio.create_task(keys.find(made.secret))
    patient = asyncio.create_task(keys.find(made.secret))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient is not None


async def test_a_database_that_is_away_lets_no_key_pass() -> None:
    database = Database(load_settings(database_url=DEAD).database)
    try:
        for _ in range(2):
            with pytest.raises(DatabaseDown):
                await Keys(database).find(UNKNOWN)
    finally:
        await database.close()


async def test_a_database_that_is_not_migrated_lets_no_key_pass(empty_url: str) -> None:
    database = Database(empty_url)
    try:
        with pytest.raises((DatabaseDown, ProgrammingError)):
            await Keys(database).find(UNKNOWN)
    finally:
        await database.close()


# --- through the server ---------------------------------------------------------------------------------------------


async def test_keys_open_routes_on_either_database(
    url: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.access.keys, "REMEMBER_S", 0.2)
    reviewer = await Keys(database).create("Anna", ["review"], trusted=True)
    owner = await Keys(database).create("the owner", ["admin"])
    async with client_of(probed(make_app(tmp_path, database_url=url, admin_key=ADMIN_KEY))) as client:
        seen = await client.post("/probe/review", headers=bearer(reviewer.secret))
        assert seen.json() == {"name": str(reviewer.row.id), "trusted": True}
        refused = problem(await client.post("/probe/admin", headers=bearer(reviewer.secret)), 403, "forbidden")
        assert "'admin'" in refused["detail"]
        for key in (owner.secret, ADMIN_KEY):
            answers = [await client.get(path, headers=bearer(key)) for path in ("/probe/admin", "/v1/models")]
            assert [answer.status_code for answer in answers] == [200, 200]
        keyless = await client.get("/v1/models")
        assert keyless.headers["www-authenticate"] == "Bearer"
        assert "keys create" in problem(keyless, 401, "not-authorised")["detail"]
        problem(await client.get("/probe/review", headers=bearer(UNKNOWN)), 401, "not-authorised")
        await Keys(database).revoke(reviewer.row.prefix)

        async def refused() -> bool:
            return (await client.post("/probe/review", headers=bearer(reviewer.secret))).status_code != 200

        await eventually(refused, "a revoked key opens nothing more")
        problem(await client.post("/probe/review", headers=bearer(reviewer.secret)), 401, "not-authorised")


async def test_translation_checks_a_key_that_is_sent(url: str, database: Database, tmp_path: Path) -> None:
    key = (await Keys(database).create("a program", ["translate"])).secret
    other = (await Keys(database).create("Anna", ["review"])).secret
    async with client_of(make_app(tmp_path, database_url=url, admin_key=ADMIN_KEY)) as client:
        assert (await ask(client, body("aperto"))).status_code == 200
        sent = [await client.post("/v1/translate", json=body("ciao"), headers=bearer(one)) for one in (key, ADMIN_KEY)]
        assert [answer.status_code for answer in sent] == [200, 200]
        problem(await client.post("/v1/translate", json=body("x"), headers=bearer(other)), 403, "forbidden")
        problem(await client.post("/v1/translate", json=body("x"), headers=bearer(UNKNOWN)), 401, "not-authorised")
        problem(
            await client.post("/v1/translate", json=body("x"), headers={"Authorization": "x"}), 401, "not-authorised"
        )
    closed = make_app(tmp_path, database_url=url, admin_key=ADMIN_KEY, open_scopes="correct")
    async with client_of(closed) as client:
        problem(await ask(client, body("chiuso")), 401, "not-authorised")
        assert (await client.post("/v1/translate", json=body("ciao"), headers=bearer(key))).status_code == 200


async def test_translation_past_the_express_route_is_closed_too(tmp_path: Path) -> None:
    """FastAPI's own route to the same endpoint, for addresses that `Edge` does not know."""
    made = make_app(tmp_path, admin_key=ADMIN_KEY, open_scopes="none")
    made.edge._express = {}  # type: ignore[attr-defined]
    async with client_of(made) as client:
        problem(await ask(client, body("chiuso")), 401, "not-authorised")
        answer = await client.post("/v1/translate", json=body("ciao"), headers=bearer(ADMIN_KEY))
        assert answer.status_code == 200


async def test_a_database_that_is_away_closes_what_needs_a_key_and_nothing_else(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url=DEAD, admin_key=ADMIN_KEY)  # type: ignore[arg-type]
    made = create_app(settings, lambda: {"it-en": FakeTranslator()}, detect=fake_detect)
    async with client_of(probed(made)) as client:
        await one(client, body("ciao"))
        for path in ("/probe/review", "/probe/correct", "/v1/translate"):
            answer = await client.post(path, json=body("ciao"), headers=bearer(UNKNOWN))
            assert problem(answer, 503, "database-down") and answer.headers["retry-after"]
        assert (await client.post("/probe/review", headers=bearer(ADMIN_KEY))).status_code == 200
        problem(await client.post("/probe/review"), 401, "not-authorised")


async def test_keys_are_never_told(url: str, database: Database, tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    secret = (await Keys(database).create("Anna", ["translate"])).secret
    told = []
    async with client_of(probed(make_app(tmp_path, database_url=url, admin_key=ADMIN_KEY))) as client:
        for key in (secret, ADMIN_KEY, UNKNOWN, secret + "x", ADMIN_KEY + "x"):
            for header in (f"Bearer {key}", key, f"Token {key}"):
                for path in ("/v1/translate", "/probe/admin", "/nowhere"):
                    answer = await client.post(path, json=body("boom"), headers={"Authorization": header})
                    told.append(f"{answer.headers} {answer.text}")
        told.append((await client.get("/metrics")).text)
    assert not any(hashlib.sha256(secret.encode()).hexdigest() in text for text in told)
    for key in (secret[16:], ADMIN_KEY, UNKNOWN[16:]):
        assert not any(key in text for text in [*told, caplog.text])


async def test_the_description_names_the_key(tmp_path: Path) -> None:
    async with client_of(make_app(tmp_path)) as client:
        api = (await client.get("/openapi.json")).json()
    assert api["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert api["paths"]["/v1/models"]["get"]["security"] == [{"HTTPBearer": []}, {}], "the owner needs none"
    assert api["paths"]["/v1/translate"]["post"]["security"] == [{"HTTPBearer": []}, {}]


# --- a real server on localhost -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server without an administration key."""
    with serving(probed(make_app(tmp_path_factory.mktemp("local")))) as address:
        yield address


def test_the_owner_of_the_machine_needs_no_key(local: str) -> None:
    port = urlsplit(local).port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        for origin in ({}, {"Origin": f"http://{host}"}):
            answer = httpx.post(f"{local}/probe/admin", json={}, headers={"Host": host, **origin})
            assert (answer.status_code, answer.json().get("name")) == (200, "local"), answer.text
    assert httpx.get(f"{local}/v1/models").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Host": "rebound.example", "Origin": "http://rebound.example"},
        {"Origin": "https://foreign.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
    ids=str,
)
def test_no_web_page_acts_for_the_owner(local: str, headers: dict[str, str]) -> None:
    json = {"Content-Type": "application/json"}
    assert httpx.post(f"{local}/probe/review", content="{}", headers=json).status_code == 200
    refusal = (415, "unsupported-body") if "Content-Type" in headers else (403, "forbidden")
    problem(httpx.post(f"{local}/probe/review", content="{}", headers={**json, **headers}), *refusal)
    if "Content-Type" not in headers:
        problem(httpx.get(f"{local}/v1/models", headers=headers), 403, "forbidden")
        problem(httpx.delete(f"{local}/probe/correct", headers=headers), 403, "forbidden")
    assert httpx.post(f"{local}/v1/translate", json=body("ciao"), headers={"Host": "any.example"}).status_code == 200


def test_what_a_proxy_passes_on_is_not_the_owners(local: str) -> None:
    problem(httpx.get(f"{local}/v1/models", headers={"X-Forwarded-For": "203.0.113.9"}), 403, "admin-closed")
    where = urlsplit(local)
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(f"GET /v1/models HTTP/1.0\r\nHost: {where.netloc}\r\n\r\n".encode())
        assert b"403 Forbidden" in connection.recv(4096)

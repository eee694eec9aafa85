"""Usage: counted for each client, stored every second, held against quotas; on either database."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from corrections_kit import ADMIN_KEY, app_on
from fakes import FakeTranslator, body, client_of, problem
from patience import eventually
from sqlalchemy import event

from app.access.keys import KeyLimits, Keys
from app.access.months import first_of_next_month, month_of, this_month
from app.access.statements import Used, stored, total
from app.errors import DatabaseDown, InvalidRequest
from app.storage.db import Database

TEXT = "Ciao a tutti."
CLIENTS, EACH = 64, 8


async def key_for(database: Database, limits: KeyLimits | None = None) -> tuple[str, dict[str, str]]:
    """Id of a new key, and the header that sends it."""
    made = await Keys(database).create("Anna", ["translate"], limits=limits)
    return str(made.row.id), {"Authorization": f"Bearer {made.secret}"}


async def used(database: Database, client: str) -> Used:
    return total(await stored(database, this_month(), client))


async def test_what_a_key_uses_is_stored_and_told(url: str, database: Database, tmp_path: Path) -> None:
    name, key = await key_for(database, KeyLimits(characters_per_month=1000))
    async with client_of(app_on(url, tmp_path)) as client:
        await client.post("/v1/translate", json=body([TEXT, TEXT]), headers=key)
        await client.post("/translate", json={"q": TEXT, "source": "it", "target": "en"}, headers=key)
        told = (await client.get("/v1/usage", headers=key)).json()
        assert (told["requests"], told["characters"]) == (2, 3 * len(TEXT)), "what is not stored yet counts"
        assert (told["client"], told["character_limit"]) == (name, 1000)
        assert told["days"][0]["characters"] == 3 * len(TEXT)

        async def is_stored() -> bool:
            return await used(database, name) == Used(2, 3 * len(TEXT))

        await eventually(is_stored, "it is stored within a second")
        assert (await client.get("/v1/usage", headers=key)).json() == told, "and does not count twice"
        deepl = (await client.get("/v2/usage", headers=key)).json()
        assert (deepl["character_count"], deepl["character_limit"]) == (3 * len(TEXT), 1000)
        everyone = await client.get("/v1/usage/clients", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
        assert everyone.json()["clients"] == [{"client": name, "requests": 2, "characters": 3 * len(TEXT)}]


async def test_the_last_of_it_is_stored_when_the_server_stops(url: str, database: Database, tmp_path: Path) -> None:
    async with client_of(app_on(url, tmp_path)) as client:
        await client.post("/v1/translate", json=body(TEXT))
    assert await used(database, "anonymous") == Used(1, len(TEXT))


async def test_only_who_is_known_is_told(url: str, database: Database, tmp_path: Path) -> None:
    _, key = await key_for(database)
    async with client_of(app_on(url, tmp_path)) as client:
        problem(await client.get("/v1/usage"), 401, "not-authorised")
        assert (await client.get("/v2/usage")).status_code == 403
        problem(await client.get("/v1/usage/clients", headers=key), 403, "forbidden")
        problem(await client.get("/v1/usage/clients"), 401, "not-authorised")
    async with client_of(app_on(url, tmp_path, admin_key=None)) as client:
        assert (await client.get("/v1/usage")).json()["client"] == "local"
        assert (await client.get("/v1/usage", headers={"Host": "evil.example"})).status_code == 403
        assert (await client.get("/v2/usage", headers={"Origin": "https://evil.example"})).status_code == 403
    async with client_of(app_on(url, tmp_path)) as client:
        admin = {"Authorization": f"Bearer {ADMIN_KEY}"}
        problem(await client.get("/v1/usage/clients?month=2026-13", headers=admin), 422, "invalid-request")
        assert (await client.get("/v1/usage/clients?month=2020-02", headers=admin)).json()["clients"] == []


async def test_a_request_that_fails_counts_nothing(url: str, database: Database, tmp_path: Path) -> None:
    name, key = await key_for(database, KeyLimits(characters_per_month=len(TEXT)))
    async with client_of(app_on(url, tmp_path)) as client:
        problem(await client.post("/v1/translate", json=body("boom"), headers=key), 500, "translation-failed")
        problem(await client.post("/v1/translate", json=body("x", beam=99), headers=key), 422, "invalid-request")
        assert (await client.post("/v1/translate", json=body(TEXT), headers=key)).status_code == 200
        assert (await client.get("/v1/usage", headers=key)).json()["characters"] == len(TEXT)
    assert await used(database, name) == Used(1, len(TEXT))


async def test_many_at_once_get_what_the_quota_allows_and_no_more(url: str, database: Database, tmp_path: Path) -> None:
    """64 clients of one key ask for 512 texts in all; 300 of them are allowed."""
    name, key = await key_for(database, KeyLimits(characters_per_month=300 * len(TEXT), requests="none"))
    app = app_on(url, tmp_path, translator=FakeTranslator(seconds_per_batch=0.01))
    async with client_of(app) as client:
        client.headers.update(key)

        async def asks(number: int) -> list[int]:
            answers = [await client.post("/v1/translate", json=body(TEXT)) for _ in range(EACH)]
            return [answer.status_code for answer in answers]

        statuses = [status for one in await asyncio.gather(*map(asks, range(CLIENTS))) for status in one]
        refused = problem(await client.post("/v1/translate", json=body(TEXT)), 429, "quota-exceeded")
        assert refused["limit"] == "characters_per_month"
    assert (statuses.count(200), statuses.count(429)) == (300, CLIENTS * EACH - 300)
    assert await used(database, name) == Used(300, 300 * len(TEXT))


async def test_over_the_quota_each_dialect_says_so_in_its_own_words(
    url: str, database: Database, tmp_path: Path
) -> None:
    _, key = await key_for(database, KeyLimits(characters_per_month=5))
    asked = {"q": TEXT, "source": "it", "target": "en"}
    async with client_of(app_on(url, tmp_path)) as client:
        client.headers.update(key)
        libre = await client.post("/translate", json=asked)
        google = await client.post("/language/translate/v2", json=asked)
        deepl = await client.post("/v2/translate", json={"text": [TEXT], "target_lang": "EN-GB"})
    month_s = (first_of_next_month(this_month()) - this_month()).total_seconds()
    for answer, status in ((libre, 403), (google, 403), (deepl, 456)):
        assert answer.status_code == status, answer.text
        assert 0 < int(answer.headers["retry-after"]) <= month_s
    assert "may translate 5 characters" in libre.json()["error"]
    assert google.json()["error"]["errors"][0]["reason"] == "dailyLimitExceeded"
    assert deepl.json()["message"].startswith("Quota Exceeded")


async def test_over_a_rate_each_dialect_says_so_in_its_own_words(url: str, tmp_path: Path) -> None:
    asked = {"q": TEXT, "source": "it", "target": "en"}
    async with client_of(app_on(url, tmp_path, requests_per_address="1/hour")) as client:
        assert (await client.post("/v1/translate", json=body(TEXT))).status_code == 200
        own = await client.post("/v1/translate", json=body(TEXT))
        libre = await client.post("/translate", json=asked)
        google = await client.post("/language/translate/v2", json=asked)
        deepl = await client.post("/v2/translate", json={"text": [TEXT], "target_lang": "EN-GB"})
    assert problem(own, 429, "too-many-requests")["limit"] == "requests_per_address"
    for answer, status in ((own, 429), (libre, 429), (google, 403), (deepl, 429)):
        assert answer.status_code == status, answer.text
        assert 0 < int(answer.headers["retry-after"]) <= 7200
    assert libre.json()["error"].startswith("Slowdown: ")
    assert google.json()["error"]["errors"][0]["reason"] == "userRateLimitExceeded"
    assert "1 requests from one address" in deepl.json()["message"]


async def test_a_wrong_key_counts_for_its_address(url: str, tmp_path: Path) -> None:
    async with client_of(app_on(url, tmp_path, requests_per_address="3/hour")) as client:
        wrong = {"Authorization": "Bearer nobody's"}
        statuses = [(await client.get("/v1/models", headers=wrong)).status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]


async def test_a_database_that_is_away_is_caught_up_with(url: str, database: Database, tmp_path: Path) -> None:
    name, key = await key_for(database)
    app = app_on(url, tmp_path)
    usage = app.state.services.usage
    async with client_of(app) as client:
        await client.post("/v1/translate", json=body(TEXT), headers=key)
        with _refusing(usage._database), pytest.raises(DatabaseDown):
            await usage.store()
        await client.post("/v1/translate", json=body(TEXT), headers=key)
        await usage.store()
        assert await used(database, name) == Used(2, 2 * len(TEXT))


async def test_two_processes_add_to_the_same_day(url: str, database: Database, tmp_path: Path) -> None:
    name, key = await key_for(database, KeyLimits(characters_per_month=3 * len(TEXT)))
    async with client_of(app_on(url, tmp_path)) as first, client_of(app_on(url, tmp_path / "other")) as second:
        for client in (first, second, first):
            assert (await client.post("/v1/translate", json=body(TEXT), headers=key)).status_code == 200
            await client._transport.app.state.services.usage.store()  # type: ignore[attr-defined]
        problem(await first.post("/v1/translate", json=body(TEXT), headers=key), 429, "quota-exceeded")
    assert await used(database, name) == Used(3, 3 * len(TEXT))


async def test_a_key_that_was_right_goes_on_while_the_database_is_away(
    url: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = await key_for(database)
    monkeypatch.setattr("app.access.keys.REMEMBER_S", 0.05)
    app = app_on(url, tmp_path)
    async with client_of(app) as client:
        assert (await client.post("/v1/translate", json=body(TEXT), headers=key)).status_code == 200
        with _refusing(app.state.services.database):
            await asyncio.sleep(0.1)
            for _ in range(3):
                assert (await client.post("/v1/translate", json=body(TEXT), headers=key)).status_code == 200
            unknown = {"Authorization": "Bearer traghetto_" + "x" * 43}
            problem(await client.post("/v1/translate", json=body(TEXT), headers=unknown), 503, "database-down")
            monkeypatch.setattr("app.access.keys.KNOWN_FOR_S", 0.0)
            problem(await client.post("/v1/translate", json=body(TEXT), headers=key), 503, "database-down")


@contextlib.contextmanager
def _refusing(database: Database) -> Iterator[None]:
    """Within it every statement of a database fails as if it were away."""

    def fail(*_: object) -> None:
        raise ConnectionRefusedError("the database is away")

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", fail)


def _used_in(data_dir: Path) -> tuple[int, int]:
    """Requests and characters that are stored there."""
    if not (data_dir / "traghetto.db").exists():
        return 0, 0
    with contextlib.closing(sqlite3.connect(data_dir / "traghetto.db")) as connection:
        found = connection.execute("SELECT coalesce(sum(requests), 0), coalesce(sum(characters), 0) FROM usage")
        requests, characters = found.fetchone()
    return requests, characters


def test_what_a_killed_server_had_stored_is_right(tmp_path: Path, tiny_data_dir: Path) -> None:
    """`kill -9` under load: all that was answered more than a second ago is there, and nothing that was not."""
    program = "import sys; from app.cli import main; sys.argv[1:] = ['serve', '--port', '0']; main()"
    environment = {**os.environ, "TRAGHETTO_DATA_DIR": str(tiny_data_dir), "OMP_NUM_THREADS": "1"}
    before = _used_in(tiny_data_dir)  # by other tests that share it
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "listens on" in line)
        address = line.split("listens on ")[1].split()[0]
        answered = []
        with httpx.Client(base_url=address, timeout=60) as client:
            # from the first answer on, which may wait for the models
            while not answered or (answered[-1] - answered[0]).total_seconds() < 3.5:
                client.post("/v1/translate", json=body("Sì.")).raise_for_status()
                answered.append(dt.datetime.now())
        killed = dt.datetime.now()
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)
    requests, characters = (now - then for now, then in zip(_used_in(tiny_data_dir), before, strict=True))
    old = sum((killed - moment).total_seconds() > 1.5 for moment in answered)
    assert old > 0
    assert old <= requests <= len(answered)
    assert characters == 3 * requests


def test_months() -> None:
    assert month_of("2026-02") == dt.date(2026, 2, 1)
    assert first_of_next_month(dt.date(2026, 2, 1)) == dt.date(2026, 3, 1)
    assert first_of_next_month(dt.date(2026, 12, 31)) == dt.date(2027, 1, 1)
    for wrong in ("2026-13", "2026", "x", "2026-1-1"):
        with pytest.raises(InvalidRequest):
            month_of(wrong)


async def test_a_new_month_begins_at_nothing(
    url: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, key = await key_for(database, KeyLimits(characters_per_month=len(TEXT)))
    app = app_on(url, tmp_path)
    async with client_of(app) as client:
        assert (await client.post("/v1/translate", json=body(TEXT), headers=key)).status_code == 200
        problem(await client.post("/v1/translate", json=body(TEXT), headers=key), 429, "quota-exceeded")
        await app.state.services.usage.store()
        later = dt.datetime.combine(first_of_next_month(this_month()), dt.time(0, 0, 1), dt.UTC)
        for module in ("app.access.usage", "app.access.months"):
            monkeypatch.setattr(f"{module}.now", lambda: later)
        assert (await client.post("/v1/translate", json=body(TEXT), headers=key)).status_code == 200
        problem(await client.post("/v1/translate", json=body(TEXT), headers=key), 429, "quota-exceeded")
    assert [day.used for day in await stored(database, later.date(), name)] == [Used(1, len(TEXT))]

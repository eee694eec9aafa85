"""Many clients at the same instant, and a database that is away: one row a submission, no error for anybody."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from corrections_kit import (
    ADMIN_KEY,
    CORRECTED,
    PATH,
    SOURCE,
    People,
    app_on,
    draft,
    people_of,
    submitted,
    translated,
)
from fakes import client_at, problem, serving
from patience import eventually
from sqlalchemy import func, select, update

from app.storage.tables import APPROVED, Correction, IdempotencyKey, now

CLIENTS = 50
DEAD = "postgresql://somebody@127.0.0.1:1/nothing"


async def rows(people: People) -> int:
    async with people.app.state.services.database.reading() as session:
        return await session.scalar(select(func.count()).select_from(Correction)) or 0


# --- the same POST again --------------------------------------------------------------------------------------------


async def test_a_retried_post_makes_one_row(url: str, tmp_path: Path) -> None:
    async with people_of(app_on(url, tmp_path)) as people:
        author, other = await people.author(), await people.author()
        session = people.in_session("a session of our own making")
        key = {"Idempotency-Key": "3f8a"}
        made = {}
        for name, client in (("author", author), ("other", other), ("session", session), ("nobody", people.stranger)):
            first = await client.post(PATH, json=draft(), headers=key)
            again = await client.post(PATH, json=draft(), headers=key)
            assert (first.status_code, again.status_code) == (201, 200)
            assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
            assert first.json()["id"] == again.json()["id"]
            assert ("session" in first.json(), "session" in again.json()) == (name == "nobody", False), "told only once"
            made[name] = first.json()["id"]
        assert len(set(made.values())) == 4, "each client has its own keys"
        changed = await author.post(PATH, json=draft(CORRECTED + "!"), headers=key)
        assert problem(changed, 422, "invalid-request")["errors"][0]["field"] == "Idempotency-Key"
        for wrong in ("", "x" * 256, "a\u00e8", "a\tb"):
            headers = {"Idempotency-Key": wrong.encode("latin-1")}
            refused = problem(await author.post(PATH, json=draft(), headers=headers), 422, "invalid-request")
            assert refused["errors"][0]["field"] == "Idempotency-Key"
        approved = await people.admin.post(f"{PATH}/{made['author']}/approve")
        assert approved.status_code == 200
        assert (await author.post(PATH, json=draft(), headers=key)).json()["state"] == "in memory", "what it is now"
        async with people.app.state.services.database.writing() as writing:
            await writing.execute(update(IdempotencyKey).values(created_at=now().replace(year=2020)))
        late = await author.post(PATH, json=draft(), headers=key)
        assert late.status_code == 201 and late.json()["id"] != made["author"], "a key counts for 24 hours"


async def test_fifty_posts_at_once_with_one_key_make_one_row(url: str, tmp_path: Path) -> None:
    """Also through two servers on one database."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(people_of(app_on(url, tmp_path))) for _ in range(2)]
        author = await servers[0].author(trusted=True)
        same = servers[1].holding(author.headers["Authorization"].split()[1])
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        clients = [author, same] * (CLIENTS // 2)
        answers = await asyncio.gather(*(one.post(PATH, json=draft(), headers=headers) for one in clients))
        assert Counter(one.status_code for one in answers) == {201: 1, 200: CLIENTS - 1}
        assert len({one.json()["id"] for one in answers}) == 1
        assert {one.json()["status"] for one in answers} == {APPROVED}
        assert await rows(servers[0]) == 1
        bodies = [draft(f"{CORRECTED} {'Yes' if n % 2 else 'No'}!") for n in range(CLIENTS)]
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        answers = await asyncio.gather(
            *(one.post(PATH, json=body, headers=headers) for one, body in zip(clients, bodies, strict=True))
        )
        assert Counter(one.status_code for one in answers) == {201: 1, 200: CLIENTS // 2 - 1, 422: CLIENTS // 2}
        assert await rows(servers[0]) == 2


# --- all at once ----------------------------------------------------------------------------------------------------


async def test_of_many_approved_at_once_one_is_left(url: str, tmp_path: Path) -> None:
    """Approvals and trusted submissions for one sentence, through two servers on one database."""
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(people_of(app_on(url, tmp_path))) for _ in range(2)]
        trusted = await first.author(trusted=True)
        sent = [await submitted(first.stranger, f"{CORRECTED} {n} ".replace(str(n), "Oh" * (n + 1))) for n in range(10)]
        work: list[Any] = [
            (first, second)[n % 2].admin.post(f"{PATH}/{one['id']}/approve") for n, one in enumerate(sent)
        ]
        work += [trusted.post(PATH, json=draft(CORRECTED + "!" * n)) for n in range(1, 4)]
        answers = await asyncio.gather(*work)
        assert {one.status_code for one in answers} <= {200, 201}, [one.text for one in answers]
        async with first.app.state.services.database.reading() as session:
            approved = (await session.scalars(select(Correction).where(Correction.status == APPROVED))).all()
        assert len(approved) == 1, "two corrections of one sentence are approved"

        async def heard() -> bool:
            return await translated(second.stranger, SOURCE) == approved[0].corrected_translation

        await eventually(heard, "the other server hears of it")


async def one_client(address: str, number: int) -> list[tuple[str, int, str]]:
    """Everything that one person may do, as fast as it goes: (what, status, id) of each request."""
    done: list[tuple[str, int, str]] = []
    async with client_at(address, headers={"Authorization": f"Bearer {ADMIN_KEY}"}) as client:

        async def note(what: str, method: str, path: str, **more: Any) -> dict[str, Any]:
            response = await client.request(method, PATH + path, **more)
            answer = response.json() if response.content else {}
            done.append((what, response.status_code, str(answer.get("id", answer.get("detail", "")))))
            return answer

        for turn in range(2):
            body = draft(source_text=f"Il traghetto numero {number} parte alle {turn}.", machine_translation="?",
                         corrected_translation=f"Ferry number {number} leaves at {turn}.")  # fmt: skip
            sent = await note("submit", "POST", "", json=body, headers={"Idempotency-Key": f"{number}-{turn}"})
            path = f"/{sent['id']}"
            await note("approve", "POST", f"{path}/approve")
            await note("get", "GET", path)
            await note("search", "GET", "", params={"limit": 5, "text": f"numero {number} "})
            await note("edit", "PATCH", path, json={"corrected_translation": f"Ferry {number} leaves at {turn}."})
            if turn % 2:
                await note("delete", "DELETE", path)
            else:
                await note("reject", "POST", f"{path}/reject", json={"reason": "no"})
            await note("statistics", "GET", "/statistics")
    return done


async def test_fifty_clients_reading_and_writing_at_once_see_no_error(url: str, tmp_path: Path) -> None:
    app = app_on(url, tmp_path)
    with serving(app) as address:
        done = await asyncio.gather(*(one_client(address, number) for number in range(CLIENTS)))
        async with client_at(address, headers={"Authorization": f"Bearer {ADMIN_KEY}"}) as client:
            left = (await client.get(PATH, params={"limit": 200})).json()
    wrong = [one for client in done for one in client if one[1] not in (200, 201, 204)]
    assert wrong == [], f"{len(wrong)} requests failed"
    kept = {one[2] for client in done for one in client if one[0] == "reject"}
    assert left["total"] == len(kept) == CLIENTS
    assert {one["id"] for one in left["corrections"]} == kept, "what was acknowledged must be there, and nothing else"


# --- the database is away -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("away", ["unreachable", "not migrated"])
async def test_a_database_that_is_away_is_a_503(away: str, tmp_path: Path) -> None:
    url = DEAD if away == "unreachable" else f"sqlite:///{tmp_path / 'empty.db'}"
    async with people_of(app_on(url, tmp_path)) as people:
        path = f"{PATH}/{uuid.uuid4()}"
        for method, where, body in (
            ("POST", PATH, draft()), ("GET", PATH, None), ("GET", f"{PATH}/statistics", None), ("GET", path, None),
            ("DELETE", path, None), ("POST", f"{path}/approve", None), ("POST", f"{path}/reject", {"reason": "no"}),
            ("PATCH", path, {"corrected_translation": "x"}), ("POST", f"{path}/reopen", None),
            ("POST", f"{PATH}/bulk", {"action": "approve", "ids": [str(uuid.uuid4())]}),
        ):  # fmt: skip
            answer = await people.admin.request(method, where, json=body)
            problem(answer, 503, "database-down")
            assert int(answer.headers["retry-after"]) >= 1
        wrong = await people.admin.post(PATH, json=draft(SOURCE))
        problem(wrong, 422, "invalid-request")
        assert await translated(people.stranger, SOURCE) == SOURCE.upper(), "translation goes on"

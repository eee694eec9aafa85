"""How much one client may store, and what thousands of rivals cost; on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from alembic import command
from corrections_kit import CORRECTED, PATH, SOURCE, app_on, decided, draft, people_of, submitted
from databases import migrated
from fakes import problem
from sqlalchemy import event, func, select
from stored import correction, store

from app.storage.db import Database, alembic_config, migrate
from app.storage.tables import APPROVED, PENDING, SUPERSEDED, Correction, text_key

SESSION = "a session of our own making"
OTHER_SESSION = "another session of our own"


def numbered(number: int, **more: Any) -> dict[str, Any]:
    """A submission for a sentence of its own."""
    return draft(
        f"Ferry {number} leaves at half past seven.", f"Il traghetto {number} parte alle sette e mezza.", **more
    )


async def sent(client: httpx.AsyncClient, number: int) -> int:
    return (await client.post(PATH, json=numbered(number))).status_code


async def refused(client: httpx.AsyncClient, body: dict[str, Any], setting: str) -> None:
    answer = problem(await client.post(PATH, json=body), 429, "limit-reached")
    assert answer["limit"] == setting and setting in answer["detail"]


async def by_status(database: Database) -> dict[str, int]:
    async with database.reading() as session:
        rows = await session.execute(select(Correction.status, func.count()).group_by(Correction.status))
        return {status: count for status, count in rows}  # noqa: C416 - a row is no pair for mypy


async def test_a_session_may_have_so_many_pending(url: str, tmp_path: Path) -> None:
    async with people_of(app_on(url, tmp_path, corrections_pending_per_session=2)) as people:
        mine, other = people.in_session(SESSION), people.in_session(OTHER_SESSION)
        first = (await mine.post(PATH, json=numbered(1), headers={"Idempotency-Key": "1"})).json()
        await submitted(mine, source_text="Il treno parte alle sette e mezza.")
        await refused(mine, numbered(3), "corrections_pending_per_session")
        again = await mine.post(PATH, json=numbered(1), headers={"Idempotency-Key": "1"})
        assert (again.status_code, again.json()["id"]) == (200, first["id"]), "a repetition stores nothing"
        assert await sent(other, 3) == 201, "the limit is of each session"
        await decided(people.admin, first, "reject", reason="no")
        assert await sent(mine, 4) == 201, "what was decided does not count"
        assert await by_status(people.app.state.services.database) == {"pending": 3, "rejected": 1}


async def test_all_without_a_key_together_may_have_so_many(url: str, tmp_path: Path) -> None:
    """New sessions are free: whoever leaves the header out would pass any limit of a session."""
    async with people_of(app_on(url, tmp_path, corrections_pending_anonymous=3)) as people:
        assert [await sent(people.stranger, number) for number in range(3)] == [201] * 3
        for anybody in (people.stranger, people.in_session(SESSION)):
            await refused(anybody, numbered(4), "corrections_pending_anonymous")
        author = await people.author()
        assert await sent(author, 4) == 201, "who has a key must not suffer from those who have none"
        assert await sent(people.admin, 5) == 201, "nor who could approve it"


async def test_a_key_may_have_so_many(url: str, tmp_path: Path) -> None:
    async with people_of(app_on(url, tmp_path, corrections_pending_per_key=1)) as people:
        author, other = await people.author(), await people.author()
        assert [await sent(one, 1) for one in (author, other)] == [201] * 2
        await refused(author, numbered(2), "corrections_pending_per_key")


async def test_a_sentence_may_have_so_many_rivals(url: str, tmp_path: Path) -> None:
    async with people_of(app_on(url, tmp_path, corrections_pending_per_sentence=2)) as people:
        author = await people.author()
        for client in (people.stranger, author):
            await submitted(client)
        rival = draft(CORRECTED + " Hurry!", SOURCE.upper()[:1] + SOURCE[1:-1])
        await refused(people.stranger, rival, "corrections_pending_per_sentence")
        assert await sent(people.stranger, 1) == 201
        trusted = await people.author(trusted=True)
        answer = await submitted(trusted, "The ferry departs at seven thirty.")
        assert answer["status"] == "approved", "what is approved at once does not wait"


async def test_strangers_with_one_sentence_keep_nobody_else_out(url: str, tmp_path: Path) -> None:
    async with people_of(app_on(url, tmp_path, corrections_pending_per_sentence=2)) as people:
        for _ in range(2):
            await submitted(people.stranger)
        await refused(people.stranger, draft(), "corrections_pending_per_sentence")
        author = await people.author()
        for _ in range(2):
            await submitted(author)
        await refused(author, draft(), "corrections_pending_per_sentence")
        for _ in range(3):
            await submitted(people.admin)
            await submitted(await people.author_who_reviews())


async def test_who_runs_the_server_is_no_stranger(url: str, tmp_path: Path) -> None:
    async with people_of(app_on(url, tmp_path, corrections_pending_anonymous=1)) as people:
        assert [await sent(people.admin, number) for number in range(3)] == [201] * 3
        assert await sent(people.stranger, 4) == 201, "what the administrator sent fills the place of strangers"
        await refused(people.stranger, numbered(5), "corrections_pending_anonymous")


async def test_no_limit_is_none(url: str, tmp_path: Path) -> None:
    names = ("per_sentence", "per_session", "anonymous", "per_key")
    none: dict[str, Any] = {f"corrections_pending_{name}": 0 for name in names}
    async with people_of(app_on(url, tmp_path, **none)) as people:
        mine, author = people.in_session(SESSION), await people.author()
        for client in (mine, author):
            assert [(await client.post(PATH, json=draft())).status_code for _ in range(3)] == [201] * 3


async def test_a_limit_holds_against_many_at_once(url: str, tmp_path: Path) -> None:
    """Through two servers on one database."""
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(people_of(app_on(url, tmp_path, corrections_pending_anonymous=5)))
            for _ in range(2)
        ]
        statuses = Counter(await asyncio.gather(*(sent(servers[number % 2].stranger, number) for number in range(24))))
        assert statuses == {201: 5, 429: 19}
        assert await by_status(servers[0].app.state.services.database) == {"pending": 5}


# --- what it costs --------------------------------------------------------------------------------------------------


@contextmanager
def statements(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """What is sent to the database meanwhile."""
    seen: list[tuple[str, Any]] = []
    engine = database.engine.sync_engine

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_limits_are_counted_in_an_index(tmp_path: Path) -> None:
    """Reading the rows would cost more, the fuller the table is."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'test.db'}"
    migrated(url)
    async with people_of(app_on(url, tmp_path)) as people:
        database = people.app.state.services.database
        for client in (people.in_session(SESSION), await people.author()):
            with statements(database) as seen:
                assert await sent(client, 1) == 201
            counted = [one for one in seen if "count(" in one[0] and "FROM corrections" in one[0]]
            assert counted
            async with database.reading() as session:
                connection = await session.connection()
                for statement, parameters in counted:
                    plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)).all()
                    assert any("USING COVERING INDEX" in row[-1] for row in plan), plan


async def test_thousands_of_rivals_are_superseded_without_being_read(url: str, tmp_path: Path) -> None:
    same, others = 1500, 1500
    async with people_of(app_on(url, tmp_path)) as people:
        database = people.app.state.services.database
        before, first = await store(
            database, correction(SOURCE, "The old one.", APPROVED), correction(SOURCE, CORRECTED, PENDING)
        )
        await store(database, *(correction(SOURCE, f" {CORRECTED} ", PENDING) for _ in range(same)))
        await store(database, *(correction(SOURCE, f"Ferry {number}.", PENDING) for number in range(others)))
        loaded: list[Correction] = []

        def note(row: Correction, _context: Any) -> None:
            loaded.append(row)

        event.listen(Correction, "load", note)
        try:
            with statements(database) as seen:
                found = await decided(people.admin, {"id": str(first)}, "approve")
        finally:
            event.remove(Correction, "load", note)
        assert found["status"] == "approved"
        assert [row.id for row in loaded] == [first], "rivals were read one by one"
        superseding = [one for one in seen if one[0].startswith("UPDATE corrections") and SUPERSEDED in str(one[1])]
        assert len(superseding) == 1, "one statement for all of them"
        assert await by_status(database) == {"approved": 1, "superseded": same + 1, "pending": others}
        async with database.reading() as session:
            old = await session.get_one(Correction, before)
        assert (old.status, old.reason) == (SUPERSEDED, f"superseded by {first}")


async def test_marks_name_no_more_rivals_than_are_shown(url: str, tmp_path: Path) -> None:
    async with people_of(app_on(url, tmp_path, corrections_pending_per_sentence=0)) as people:
        database = people.app.state.services.database
        await store(database, *(correction(SOURCE, CORRECTED.replace(" ", "  "), PENDING) for _ in range(50)))
        sent_in = await submitted(people.admin)
        assert len(sent_in["marks"]) == 5 and all(mark.startswith("duplicate: ") for mark in sent_in["marks"])


# --- the key of a text ----------------------------------------------------------------------------------------------


async def test_texts_that_were_stored_before_have_their_key(empty_url: str) -> None:
    """The migration fills the column; a correction without it would never be a duplicate."""
    migrate(empty_url)
    database = Database(empty_url)
    ids = await store(database, *(correction(f"Frase {number}.", f"Phrase  {number}.") for number in range(2345)))
    await database.close()
    command.downgrade(alembic_config(empty_url), "20261125_corrections")
    migrate(empty_url)
    async with database.reading() as session:
        rows = (await session.execute(select(Correction.corrected_translation, Correction.text_key))).all()
    await database.close()
    assert len(rows) == len(ids)
    assert all(key == text_key(corrected) for corrected, key in rows)

"""Finding, deciding in bulk, numbers and retention, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import datetime as dt
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from corrections_kit import (
    CORRECTED,
    PATH,
    SOURCE,
    People,
    app_on,
    people_of,
    state,
    submitted,
    translated,
)
from fakes import problem
from sqlalchemy import func, select, update
from stored import correction, store

from app.access.client import Client
from app.corrections import retention
from app.corrections.service import Corrections
from app.scopes import ALL_SCOPES
from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import (
    APPROVED,
    CURRENT,
    PENDING,
    REJECTED,
    STATUSES,
    SUPERSEDED,
    Correction,
    IdempotencyKey,
    MemoryChange,
    ModelVersion,
    TrainedCorrection,
    now,
)
from app.translating.detection import detect


async def page(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    response = await client.get(PATH, params=query)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def sources(client: httpx.AsyncClient, **query: Any) -> list[str]:
    return [one["source_text"] for one in (await page(client, **query))["corrections"]]


async def all_pages(client: httpx.AsyncClient, **query: Any) -> list[str]:
    """The ids of all pages, in order."""
    ids, answer = [], await page(client, **query)
    while True:
        ids += [one["id"] for one in answer["corrections"]]
        if answer["next_cursor"] is None:
            return ids
        answer = await page(client, **query, cursor=answer["next_cursor"])


# --- search ---------------------------------------------------------------------------------------------------------


async def test_filters(people: People, database: Database) -> None:
    author = await people.author()
    await submitted(author, source_text="Il treno parte alle sette e mezza.")
    await store(
        database, correction("PERCHÉ no?", "Why not?", REJECTED), correction("100% vero_falso", "True", PENDING),
        correction("True", "Vero", APPROVED, pair="en-it"), correction("È così.", "It is so.", SUPERSEDED),
    )  # fmt: skip
    async with database.writing() as session:
        await session.execute(update(Correction).where(Correction.status == PENDING).values(marks=["copy: x"]))
        await session.execute(
            update(Correction).where(Correction.pair == "en-it").values(created_at=now() - dt.timedelta(days=2))
        )
    admin = people.admin
    assert await sources(admin, status="rejected") == ["PERCHÉ no?"]
    assert await sources(admin, pair="en-it") == ["True"]
    assert set(await sources(admin, marked="true")) == {"100% vero_falso", "Il treno parte alle sette e mezza."}
    assert len(await sources(admin, marked="false")) == 3
    assert await sources(admin, author_key=author.headers["X-Test-Key-Id"]) == ["Il treno parte alle sette e mezza."]
    day = (now() - dt.timedelta(days=1)).isoformat()
    assert await sources(admin, created_before=day) == ["True"]
    assert "True" not in await sources(admin, created_after=day)
    for text, found in (("perché", 1), ("TRENO", 1), ("why NOT", 1), ("è COSÌ", 1), ("%", 1), ("_", 1), ("\\", 0),
                        ("true", 2), ("' OR 1=1 --", 0), ("🐈", 0)):  # fmt: skip
        assert (await page(admin, text=text))["total"] == found, text
    assert (await page(admin, text="true", pair="it-en", status="pending"))["total"] == 1


async def test_queries_that_make_no_sense_are_refused_by_name(people: People) -> None:
    queries: list[dict[str, Any]] = [
        {"status": "trained"}, {"pair": "it-fr"}, {"limit": 0}, {"limit": 201}, {"order": "best"}, {"text": "a\0"},
        {"created_after": "yesterday"}, {"created_after": "2026-01-01T00:00:00"}, {"author_key": "x"}, {"marked": "?"},
        {"created_before": "0001-01-01T00:00:00+14:00"}, {"created_after": "9999-12-31T23:59:59-14:00"}, {"page": 2},
        *({"cursor": cursor} for cursor in ("x", "e30", "é", "W10", "bnVsbA==", "W251bGwsMSwyXQ", "a" * 301)),
    ]  # fmt: skip
    for query in queries:
        found = problem(await people.admin.get(PATH, params=query), 422, "invalid-request")
        assert [error["field"] for error in found["errors"]] == list(query), query


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_pages_neither_repeat_nor_skip_while_rows_come_and_go(
    people: People, database: Database, order: str
) -> None:
    there = await store(database, *(correction(f"Frase numero {n}.", "x", PENDING) for n in range(25)))
    moment = now() - dt.timedelta(hours=1)
    async with database.writing() as session:  # many of the same moment: the id decides
        await session.execute(update(Correction).where(Correction.id.in_(there[:15])).values(created_at=moment))
    seen: list[str] = []
    answer = await page(people.admin, limit=4, order=order)
    assert answer["total"] == 25
    while answer["next_cursor"] is not None:
        seen += [one["id"] for one in answer["corrections"]]
        async with database.writing() as session:
            await session.delete(await session.get_one(Correction, uuid.UUID(seen[-1])))
        await store(database, correction("Frase nuova.", "x", PENDING))
        answer = await page(people.admin, limit=4, order=order, cursor=answer["next_cursor"])
        assert len(seen) < 100, "paging does not end" if order == "newest" else "it runs after the new rows"
    seen += [one["id"] for one in answer["corrections"]]
    assert len(seen) == len(set(seen)), "a row came twice"
    assert {str(one) for one in there} <= set(seen), "a row was left out"
    if order == "newest":
        assert len(seen) == 25, "rows that came later do not belong to these pages"


async def test_a_cursor_belongs_to_its_order(people: People, database: Database) -> None:
    await store(database, *(correction(f"Frase {n}.", "x", PENDING) for n in range(3)))
    cursor = (await page(people.admin, limit=1))["next_cursor"]
    problem(await people.admin.get(PATH, params={"order": "oldest", "cursor": cursor}), 422, "invalid-request")
    newest = await all_pages(people.admin, limit=1)
    assert newest == (await all_pages(people.admin, limit=200, order="oldest"))[::-1]
    assert len(newest) == 3


# --- bulk -----------------------------------------------------------------------------------------------------------


async def bulk(client: httpx.AsyncClient, action: str, ids: list[str], **more: Any) -> list[dict[str, Any]]:
    response = await client.post(f"{PATH}/bulk", json={"action": action, "ids": ids} | more)
    assert response.status_code == 200, response.text
    outcomes: list[dict[str, Any]] = response.json()["outcomes"]
    assert [one["id"] for one in outcomes] == ids
    return outcomes


async def test_each_of_many_has_its_own_outcome(people: People) -> None:
    first, second = (
        await submitted(people.stranger),
        await submitted(people.stranger, CORRECTED.replace("leaves", "goes")),
    )
    third = await submitted(people.stranger, source_text="Il treno parte alle sette e mezza.")
    unknown = str(uuid.uuid4())
    outcomes = await bulk(
        people.admin, "approve", [second["id"], unknown, first["id"], "nonsense", third["id"], second["id"]]
    )
    assert [one["status"] for one in outcomes] == ["approved", None, "superseded", None, "approved", "approved"]
    assert [one["problem"] is None for one in outcomes] == [True, False, True, False, True, True]
    assert await state(people.stranger, first) == f"superseded by {second['id']}", "the one sent last wins"
    assert (await translated(people.stranger, SOURCE)) == CORRECTED.replace("leaves", "goes")
    outcomes = await bulk(people.admin, "reject", [second["id"], third["id"]], reason="Both are wrong.")
    assert {one["status"] for one in outcomes} == {"rejected"}
    assert await translated(people.stranger, SOURCE) == SOURCE.upper()


async def test_a_thousand_at_once(people: People, database: Database) -> None:
    ids = await store(
        database, *(correction(f"Frase numero {n}.", f"Sentence number {n}.", PENDING) for n in range(1000))
    )
    outcomes = await bulk(people.admin, "approve", [str(one) for one in ids])
    assert {one["status"] for one in outcomes} == {"approved"}
    assert await translated(people.stranger, "Frase numero 777.") == "Sentence number 777."
    outcomes = await bulk(people.admin, "reopen", [str(one) for one in ids])
    assert {one["status"] for one in outcomes} == {"pending"}
    assert await translated(people.stranger, "Frase numero 777.") == "FRASE NUMERO 777."
    for wrong in ({"ids": []}, {"ids": ["x"] * 1001}, {"action": "delete"}, {"action": "reject"},
                  {"action": "reject", "reason": ""}, {"ids": "all"}):  # fmt: skip
        body = {"action": "approve", "ids": ["x"]} | wrong
        problem(await people.admin.post(f"{PATH}/bulk", json=body), 422, "invalid-request")


# --- numbers --------------------------------------------------------------------------------------------------------


async def test_statistics(people: People, database: Database) -> None:
    assert (await people.admin.get(f"{PATH}/statistics")).json() == {"pairs": {}}
    rows = [correction(f"Frase {n}.", "x", status) for n, status in enumerate((*STATUSES, APPROVED, PENDING))]
    for row, days in zip([row for row in rows if row.status == APPROVED], (0, 3), strict=True):
        row.reviewed_at = now() - dt.timedelta(days=days)
    waiting = [row for row in rows if row.status == PENDING]
    waiting[0].created_at = now() - dt.timedelta(hours=5)
    waiting[0].marks, waiting[1].marks = ["numbers: 3 is missing", "numbers: 4 is not in the source"], ["copy: x"]
    await store(database, *rows, correction("One.", "Uno.", pair="en-it"))
    async with database.writing() as session:
        session.add_all(
            [
                ModelVersion(pair="it-en", version="v2", parent="v1", status=CURRENT),
                ModelVersion(pair="it-en", version="v1"),
                ModelVersion(pair="it-en", version="v0"),
            ]
        )
        await session.flush()
        trained = [row for row in rows if row.status in (APPROVED, REJECTED)]
        for row, version in zip(trained, ("v1", "v2", "v0"), strict=True):
            session.add(TrainedCorrection(correction_id=row.id, pair="it-en", version=version))
    pairs = (await people.admin.get(f"{PATH}/statistics")).json()["pairs"]
    waited, days = pairs["it-en"].pop("oldest_pending_s"), pairs["it-en"].pop("by_day")
    assert 5 * 3600 <= waited < 6 * 3600
    assert pairs["it-en"] == {
        "by_status": {"pending": 2, "approved": 2, "rejected": 1, "superseded": 1}, "approved_last_24_hours": 1,
        "approved_last_7_days": 2, "in_memory": 2, "trained_in_current": 1, "top_marks": {"numbers": 1, "copy": 1},
    }  # fmt: skip
    assert pairs["en-it"]["in_memory"] == 1
    assert len(days) == len({one["day"] for one in days}) == 30
    assert [one["day"] for one in days] == sorted(one["day"] for one in days)
    assert sum(one["submitted"] for one in days) == 6
    assert sum(one["approved"] for one in days) == 2


async def test_days_are_those_of_utc(people: People, database: Database) -> None:
    """Whatever the zone of the database's connection; what is older than the picture is left out."""
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0) - dt.timedelta(days=2)
    second, minute = dt.timedelta(seconds=1), dt.timedelta(minutes=1)
    moments = {APPROVED: midnight - second, SUPERSEDED: midnight, REJECTED: midnight + dt.timedelta(days=1) - second}
    rows = [correction(f"Frase {status}.", "x", status) for status in moments]
    for row in rows:
        row.created_at, row.reviewed_at = midnight - minute, moments[row.status]
    old = correction("Frase vecchia.", "x", APPROVED)
    old.created_at = old.reviewed_at = midnight - dt.timedelta(days=40)
    await store(database, *rows, old, correction("Frase che aspetta.", "x", PENDING))
    found = (await people.admin.get(f"{PATH}/statistics")).json()["pairs"]["it-en"]["by_day"]
    shown = {one.pop("day"): tuple(one.values()) for one in found if any(list(one.values())[1:])}
    days = [str((midnight + dt.timedelta(days=days)).date()) for days in (-1, 0, 2)]
    assert shown == {days[0]: (3, 1, 0), days[1]: (0, 1, 1), days[2]: (1, 0, 0)}


# --- retention ------------------------------------------------------------------------------------------------------


async def counts(database: Database) -> dict[str, int]:
    async with database.reading() as session:
        rows = await session.execute(select(Correction.status, func.count()).group_by(Correction.status))
        return {status: count for status, count in rows}  # noqa: C416 - a row is no pair for mypy


async def test_what_is_past_its_time_is_deleted(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 3)
    old, fresh_ones = now() - dt.timedelta(days=31), now() - dt.timedelta(days=29)
    for moment in (old, fresh_ones):
        rows = [correction(f"Frase {n}.", "x", status) for n in range(4) for status in STATUSES]
        for row in rows:
            row.created_at = row.changed_at = moment
        ids = await store(database, *rows)
        async with database.writing() as session:
            hours = 25 if moment is old else 23
            stamp = now() - dt.timedelta(hours=hours)
            session.add(
                IdempotencyKey(client="c", key=str(hours), body_hash="x", correction_id=ids[1], created_at=stamp)
            )
            await session.execute(update(MemoryChange).values(changed_at=stamp))
    keeping = Corrections(database, Settings(data_dir=tmp_path), detect)
    assert await keeping.purge() == 0, "by default nothing is deleted"
    async with database.reading() as session:
        assert (await session.scalars(select(IdempotencyKey.key))).all() == ["23"]
    forgetting = Corrections(database, Settings(data_dir=tmp_path, corrections_retention_days=30), detect)
    assert await forgetting.purge() == 8
    assert await counts(database) == {"pending": 8, "approved": 8, "rejected": 4, "superseded": 4}
    assert await forgetting.purge() == 0
    async with database.writing() as session:
        await session.execute(update(MemoryChange).values(changed_at=now() - dt.timedelta(hours=25)))
    await forgetting.purge()
    async with database.reading() as session:
        assert (await session.scalars(select(MemoryChange))).all() == []


async def test_the_server_purges_when_it_starts(url: str, database: Database, tmp_path: Path) -> None:
    row = correction("Frase.", "x", REJECTED)
    row.changed_at = now() - dt.timedelta(days=8)
    await store(database, row)
    async with people_of(app_on(url, tmp_path, corrections_retention_days=7)) as people:
        for _ in range(1000):  # it does so beside everything else
            if (await page(people.admin))["total"] == 0:
                break
        assert (await page(people.admin))["total"] == 0


async def test_the_service_works_without_a_server(database: Database, tmp_path: Path) -> None:
    """As the commands use it."""
    (one,) = await store(database, correction("Frase.", "Sentence.", PENDING))
    service = Corrections(database, Settings(data_dir=tmp_path), detect)
    (outcome,) = await service.decide([one], Client("local", ALL_SCOPES))
    assert (outcome.status, outcome.confirmations) == (APPROVED, 1)
    assert (await service.get(one)).state == "in memory"

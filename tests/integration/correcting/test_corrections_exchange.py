"""Corrections out of the database and in again, as files and by HTTP, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from corrections_kit import (
    ADMIN_KEY,
    CORRECTED,
    PATH,
    SOURCE,
    app_on,
    people_of,
    submitted,
    translated,
)
from databases import migrated
from fakes import FakeTranslator, problem
from sqlalchemy import func, select

from app.access.client import Client
from app.corrections.exchange import Format, Selection, count, export, read
from app.corrections.importing import CHUNK_ROWS, Importer, ImportInterrupted, ImportReport
from app.corrections.records import Record, to_jsonl
from app.corrections.service import Corrections
from app.main import create_app
from app.memory.changes import STATE_ID
from app.scopes import ALL_SCOPES
from app.settings import Settings, load_settings
from app.storage.db import Database
from app.storage.tables import (
    APPROVED,
    CURRENT,
    PENDING,
    REJECTED,
    SUPERSEDED,
    Correction,
    MemoryState,
    ModelVersion,
    TrainedCorrection,
)
from app.translating.detection import Detection

OWNER = Client("local", ALL_SCOPES)
MOMENT = dt.datetime(2026, 5, 4, 3, 2, 1, 987654, dt.UTC)
NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:1/none"


def sqlite(folder: Path) -> str:
    """A new, migrated SQLite database."""
    url = load_settings(data_dir=folder).database
    migrated(url)
    return url


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[Database]:
    """A second, empty database, always SQLite: files go from either kind to the other."""
    opened = Database(sqlite(tmp_path / "other"))
    yield opened
    await opened.close()


def detect(text: str) -> Detection:
    return Detection("en" if "the" in text.lower().split() else "it", 0.9)


def importer(database: Database, **settings: Any) -> Importer:
    return Importer(database, Settings(**settings), detect)


def line(number: int = 0, **more: Any) -> bytes:
    """A line of a file: a correction with an id of its own."""
    record = Record(
        id=uuid.UUID(int=number + 1), source="it", target="en", source_text=f"Il gatto numero {number} dorme.",
        machine_translation="The dog.", corrected_translation=f"The cat number {number} sleeps.",
        status="approved", created_at=MOMENT, changed_at=MOMENT, reviewed_at=MOMENT,
    )  # fmt: skip
    return to_jsonl(record.model_copy(update=more))


async def taken(database: Database, data: bytes, format: Format = "jsonl", **options: Any) -> ImportReport:
    return await importer(database).run(read(io.BytesIO(data), format), OWNER, **options)


async def given(database: Database, format: Format = "jsonl", **selection: Any) -> bytes:
    return b"".join([piece async for piece in export(database, Selection(**selection), format)])


async def rows(database: Database) -> list[Correction]:
    async with database.reading() as session:
        return list(await session.scalars(select(Correction).order_by(Correction.created_at, Correction.id)))


async def memory_version(database: Database) -> int:
    async with database.reading() as session:
        return (await session.scalars(select(MemoryState.version).where(MemoryState.id == STATE_ID))).one()


def told(report: ImportReport) -> tuple[int, int, int, int]:
    return report.imported, report.approved, report.skipped, report.refused


# --- round trips ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["jsonl", "tmx"])
async def test_an_export_imported_elsewhere_gives_the_same_export(
    database: Database, other: Database, format: Format
) -> None:
    odd = line(3, source_text="Prezzo:\r\n3 <b>euro</b> così 😀.", corrected_translation="the <b>price</b> 😀\u00a0. ")
    lines = [line(number, model_version="v1") for number in range(3)]
    await taken(database, b"".join([*lines, odd, line(4, created_at=MOMENT - dt.timedelta(days=9))]), approve=True)
    exported = await given(database, format)
    assert told(await taken(other, exported, format, approve=True)) == (5, 5, 0, 0)
    assert await given(other, format) == exported
    assert await given(other) == await given(database), "the two formats must hold the same"


async def test_pending_ones_keep_marks_and_moments(database: Database, other: Database) -> None:
    service = Corrections(database, Settings(), detect)
    async with database.writing() as session:
        session.add(
            Correction(
                pair="it-en", source_text="Ciao.", source_key="0" * 32, machine_translation="", changed_at=MOMENT,
                corrected_translation="the hello", marks=["length: odd", "mine: unknown"], confirmed_by=[],
            )
        )  # fmt: skip
    exported = await given(database)
    assert json.loads(exported)["marks"] == ["length: odd", "mine: unknown"]
    await taken(other, exported)
    (row,) = await rows(other)
    assert (row.marks, row.changed_at, row.status) == (["length: odd"], MOMENT, PENDING)
    assert (await service.get(row.id)).correction.created_at == row.created_at


async def test_a_file_imported_twice_changes_nothing(database: Database) -> None:
    bare = b'{"source": "it", "target": "en", "source_text": "Ciao.", "corrected_translation": "the hi"}\n'
    data = line() + bare + bare.replace(b"the hi", b"the  hello") + bare
    assert told(await taken(database, data, approve=True)) == (3, 3, 1, 0)
    before, version = await given(database), await memory_version(database)
    assert told(await taken(database, data, approve=True)) == (0, 0, 4, 0)
    assert told(await taken(database, data)) == (0, 0, 4, 0)
    assert await given(database) == before
    assert await memory_version(database) == version, "memory was told of a change that was none"


# --- export --------------------------------------------------------------------------------------------------------


async def test_exports_are_chosen_by_status_pair_and_change(database: Database) -> None:
    english = line(1, source="en", target="it", source_text="the cat", corrected_translation="il gatto")
    await taken(database, line(0) + english, approve=True)
    await taken(database, line(2, changed_at=MOMENT - dt.timedelta(days=1), status=PENDING))

    async def numbers(**selection: Any) -> list[int]:
        exported = (await given(database, **selection)).splitlines()
        assert len(exported) == await count(database, Selection(**selection))
        return [uuid.UUID(json.loads(one)["id"]).int - 1 for one in exported]

    assert await numbers() == [0, 1, 2]
    assert await numbers(status=APPROVED) == [0, 1]
    assert await numbers(status=APPROVED, pair="en-it") == [1]
    assert await numbers(since=MOMENT) == [0, 1]
    assert await numbers(status=REJECTED) == []
    assert b'srclang="en"' in (await given(database, "tmx", pair="en-it")).partition(b"<body>")[0]


async def test_pages_leave_nothing_out_when_many_were_made_at_one_moment(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.corrections.exchange.PAGE_ROWS", 3)
    await taken(database, b"".join(map(line, range(10))), approve=True)
    pages: list[int] = []
    exported = [one async for one in export(database, Selection(), "jsonl", pages.append)]
    assert [uuid.UUID(json.loads(one)["id"]).int for one in b"".join(exported).splitlines()] == list(range(1, 11))
    assert (len(exported), pages) == (4, [3, 3, 3, 1]), "a file must be made piece by piece"


async def test_an_export_names_the_versions_that_learned_it(database: Database) -> None:
    await taken(database, line(), approve=True)
    async with database.writing() as session:
        session.add(ModelVersion(pair="it-en", version="v2", status=CURRENT))
        await session.flush()
        session.add(TrainedCorrection(correction_id=uuid.UUID(int=1), pair="it-en", version="v2"))
    assert json.loads(await given(database))["trained_in"] == ["v2"]
    assert b'"x-traghetto-trained_in">v2<' in await given(database, "tmx")


# --- import --------------------------------------------------------------------------------------------------------


async def test_what_is_imported_waits_for_a_reviewer_whatever_the_file_says(database: Database) -> None:
    lines = (
        line(number, status=status, reason="why") for number, status in enumerate((APPROVED, REJECTED, SUPERSEDED))
    )
    assert told(await taken(database, b"".join(lines))) == (3, 0, 0, 0)
    for row in await rows(database):
        assert (row.status, row.reason, row.reviewer, row.reviewed_at) == (PENDING, None, None, None)
        assert row.changed_at > MOMENT, "its status changed now"
    assert await memory_version(database) == 0


async def test_approving_supersedes_tells_memory_and_refuses_what_was_rejected(database: Database) -> None:
    await taken(database, line(), approve=True)
    better = line(1, source_text="il gatto  numero 0 dorme", corrected_translation="The cat no. 0 is asleep.")
    unwanted = line(2, status=REJECTED) + line(3, status=SUPERSEDED)
    report = await taken(database, better + unwanted, approve=True)
    assert told(report) == (1, 1, 0, 2)
    assert [(one.line, one.reason.split()[1]) for one in report.problems] == [(2, REJECTED), (3, SUPERSEDED)]
    old, new = await rows(database)
    assert (old.status, new.status, new.reviewer, new.confirmed_by) == (SUPERSEDED, APPROVED, "import", ["local"])
    assert str(new.id) in (old.reason or "")
    assert f"contradicts: {old.id}" in new.marks
    assert await memory_version(database) == 2


async def test_of_contradicting_lines_the_last_one_wins(database: Database) -> None:
    lines = [line(number, source_text="Il gatto.", corrected_translation=f"the {number}") for number in range(3)]
    assert told(await taken(database, b"".join(lines), approve=True)) == (3, 3, 0, 0)
    assert [row.status for row in await rows(database)] == [SUPERSEDED, SUPERSEDED, APPROVED]


async def test_one_that_says_what_is_approved_already_is_skipped(database: Database) -> None:
    await taken(database, line(), approve=True)
    same = line(7, source_text="Il gatto numero 0 dorme.", corrected_translation="The cat number 0  sleeps.")
    assert told(await taken(database, same)) == (0, 0, 1, 0)


async def test_a_second_person_must_confirm_imports_too(database: Database) -> None:
    strict = importer(database, corrections_confirmations=2)
    report = await strict.run(read(io.BytesIO(line()), "jsonl"), OWNER, approve=True)
    assert told(report) == (1, 0, 0, 0)
    (row,) = await rows(database)
    assert (row.status, row.confirmed_by) == (PENDING, ["local"])


async def test_moments_in_the_future_are_not_believed(database: Database) -> None:
    future = dt.datetime(8999, 1, 1, tzinfo=dt.UTC)
    await taken(database, line(created_at=future, changed_at=future, reviewed_at=future), approve=True)
    (row,) = await rows(database)
    assert max(row.created_at, row.changed_at, row.reviewed_at or future) < dt.datetime.now(dt.UTC)


async def test_each_line_is_checked_as_a_submission_is(database: Database) -> None:
    wrong = (
        line(1, corrected_translation=""),
        line(2, corrected_translation="The dog."),
        line(3, source_text="Il \0 gatto."),
        line(4, source_text="a" * 10_001),
        b"{broken\n",
    )
    odd = line(5, source_text="Il gatto numero 5 e 7 dorme.")
    report = await taken(database, line(0) + b"".join(wrong) + odd, approve=True)
    assert told(report) == (2, 2, 0, 5)
    assert [one.line for one in report.problems] == [2, 3, 4, 5, 6]
    assert "corrected_translation: is empty" in report.problems[0].reason
    assert "is the machine translation" in report.problems[1].reason
    assert "control character" in report.problems[2].reason
    assert any(mark.startswith("numbers") for row in await rows(database) for mark in row.marks)


async def test_checking_alone_stores_nothing(database: Database) -> None:
    data = line() + b"{broken\n" + line(1, status=REJECTED)
    assert (await importer(database).check(read(io.BytesIO(data), "jsonl"), approve=True)).refused == 2
    assert (await importer(database).check(read(io.BytesIO(data), "jsonl"))).refused == 1
    assert await rows(database) == []


async def test_a_large_file_is_stored_chunk_by_chunk(database: Database) -> None:
    many = 6 * CHUNK_ROWS
    data = b"".join(map(line, range(many)))
    seen: list[int] = []
    report = await taken(database, data, approve=True, on_chunk=lambda so_far: seen.append(so_far.seen))
    assert told(report) == (many, many, 0, 0)
    assert seen == list(range(CHUNK_ROWS, many + 1, CHUNK_ROWS))
    assert await memory_version(database) == len(seen), "each chunk must be one transaction"
    assert told(await taken(database, await given(database, "tmx"), "tmx", approve=True)) == (0, 0, many, 0)


async def test_two_imports_of_one_file_at_once_store_each_line_once(database: Database) -> None:
    data = b"".join(map(line, range(700)))
    reports = await asyncio.gather(*(taken(database, data, approve=True) for _ in range(3)))
    assert sum(report.imported for report in reports) == 700
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Correction)) == 700


async def test_a_database_that_is_away_is_told() -> None:
    away = Database(NOWHERE)
    with pytest.raises(ImportInterrupted, match="Nothing was stored"):
        await taken(away, line())
    await away.close()


# --- by HTTP -------------------------------------------------------------------------------------------------------


async def test_reviewers_take_files_out_and_put_them_in(url: str, tmp_path: Path) -> None:
    async with people_of(app_on(url, tmp_path)) as people:
        reviewer = await people.reviewer()
        made = await submitted(people.admin)
        answer = await reviewer.get(f"{PATH}/export", params={"status": "pending", "pair": "it-en"})
        assert answer.headers["content-disposition"] == 'attachment; filename="corrections-pending-it-en.jsonl"'
        assert answer.headers["content-type"] == "application/jsonl"
        assert json.loads(answer.text)["id"] == made["id"]
        memory = await reviewer.get(f"{PATH}/export", params={"format": "tmx"})
        assert memory.content.startswith(b"<?xml") and memory.content.endswith(b"</tmx>\n")
        assert (await people.admin.delete(f"{PATH}/{made['id']}")).status_code == 204
        back = await reviewer.post(
            f"{PATH}/import", params={"format": "tmx", "approve": "true"}, content=memory.content
        )
        assert back.json() == {"imported": 1, "approved": 1, "skipped": 0, "refused": 0, "problems": []}
        assert await translated(people.stranger, SOURCE) == CORRECTED, "memory must answer at once"


async def test_refused_lines_are_told_and_the_rest_is_stored(url: str, tmp_path: Path) -> None:
    data = to_jsonl(Record(source="it", target="en", source_text=SOURCE, corrected_translation=CORRECTED))
    async with people_of(app_on(url, tmp_path)) as people:
        answer = (await people.admin.post(f"{PATH}/import", content=data + b"broken")).json()
    assert (answer["imported"], answer["approved"], answer["refused"]) == (1, 0, 1)
    assert [one["line"] for one in answer["problems"]] == [2]


async def test_what_was_chosen_in_a_unit_is_told(tmp_path: Path) -> None:
    variants = (("it", "Che bel colore."), ("en-GB", "What a lovely colour."), ("en-US", "What a lovely color."))
    inside = "".join(f'<tuv xml:lang="{code}"><seg>{text}</seg></tuv>' for code, text in variants)
    data = f'<tmx version="1.4"><header srclang="it"/><body>\n<tu>{inside}</tu></body></tmx>'.encode()
    async with people_of(app_on(sqlite(tmp_path), tmp_path)) as people:
        answer = (await people.admin.post(f"{PATH}/import", params={"format": "tmx"}, content=data)).json()
    assert (answer["imported"], answer["problems"]) == (1, [])
    assert answer["notes"] == [{"line": 2, "reason": "has different texts in en-GB, en-US; that in en-GB was taken"}]


async def test_who_may_and_what_is_refused(tmp_path: Path) -> None:
    settings = {"corrections_import_max_bytes": 2_000_000, "max_body_bytes": 4096}
    async with people_of(app_on(sqlite(tmp_path), tmp_path, **settings)) as people:
        author = await people.author()
        for client, status, slug in ((people.stranger, 401, "not-authorised"), (author, 403, "forbidden")):
            problem(await client.get(f"{PATH}/export"), status, slug)
            problem(await client.post(f"{PATH}/import", content=b""), status, slug)
        for query in ("format=xls", "status=odd", "pair=fr-en", "since=yesterday", "since=2026-01-01T00:00:00"):
            problem(await people.admin.get(f"{PATH}/export?{query}"), 422, "invalid-request")
        problem(await people.admin.post(f"{PATH}/import?format=xls", content=b""), 422, "invalid-request")
        problem(await people.admin.post(f"{PATH}/import", content=b"x" * 2_000_001), 413, "body-too-large")
        longer = await people.admin.post(f"{PATH}/import", content=b"\n" * 1_999_999)
        assert longer.json()["imported"] == 0, "files may be longer than other bodies"
        problem(await people.admin.post(PATH, content=b"x" * 5000), 413, "body-too-large")


async def test_a_database_that_is_away_is_a_503(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url=NOWHERE, admin_key=ADMIN_KEY)
    async with people_of(create_app(settings, lambda: {"it-en": FakeTranslator()})) as people:
        for format in ("jsonl", "tmx"):
            answer = await people.admin.get(f"{PATH}/export", params={"format": format})
            problem(answer, 503, "database-down")
        problem(await people.admin.post(f"{PATH}/import", content=line()), 503, "database-down")

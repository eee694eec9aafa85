"""Corrections out of the database into a file, and back. Neither is ever held whole."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from sqlalchemy import Select, and_, func, or_, select

from app.corrections import tmx
from app.corrections.records import Entry, Record, read_jsonl, to_jsonl
from app.corrections.states import trained_versions
from app.storage.db import Database
from app.storage.tables import Correction

Format = Literal["jsonl", "tmx"]
FORMATS: tuple[Format, ...] = ("jsonl", "tmx")
MEDIA_TYPES: dict[Format, str] = {"jsonl": "application/jsonl", "tmx": "application/x-tmx+xml"}
PAGE_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Selection:
    """Which corrections are exported."""

    status: str | None = None
    pair: str | None = None
    since: dt.datetime | None = None
    """Only those whose text or status changed at that moment or later."""

    def narrow(self, query: Select[Any]) -> Select[Any]:
        """`query` of `Correction`, with these conditions."""
        if self.status is not None:
            query = query.where(Correction.status == self.status)
        if self.pair is not None:
            query = query.where(Correction.pair == self.pair)
        return query if self.since is None else query.where(Correction.changed_at >= self.since)


async def count(database: Database, selection: Selection) -> int:
    """How many corrections there are to export.

    Raises:
        DatabaseDown: as `Database.reading`.
    """
    async with database.reading() as session:
        return int(await session.scalar(selection.narrow(select(func.count()).select_from(Correction))) or 0)


async def export(
    database: Database, selection: Selection, format: Format, on_page: Callable[[int], None] | None = None
) -> AsyncIterator[bytes]:
    """A file, piece by piece: the corrections in the order in which they were made.

    It is no snapshot: each page of `PAGE_ROWS` is as it is when it is read. No correction comes twice or is left out.

    Args:
        on_page: told after each page how many corrections it has

    Raises:
        DatabaseDown: as `Database.reading`; what was given out until then is not a whole file.
    """
    write = to_jsonl if format == "jsonl" else tmx.to_unit
    if format == "tmx":
        yield tmx.head(selection.pair.partition("-")[0] if selection.pair else None)
    last: Correction | None = None
    while True:
        rows, trained = await _page(database, selection, last)
        if rows:
            last = rows[-1]
            yield b"".join(write(_record(row, trained.get(row.id, ()))) for row in rows)
        if on_page is not None:
            on_page(len(rows))
        if len(rows) < PAGE_ROWS:
            break
    if format == "tmx":
        yield tmx.END


async def _page(
    database: Database, selection: Selection, last: Correction | None
) -> tuple[Sequence[Correction], dict[Any, list[str]]]:
    query = selection.narrow(select(Correction)).order_by(Correction.created_at, Correction.id).limit(PAGE_ROWS)
    if last is not None:  # the first condition is for the index, which is on one column
        after = or_(Correction.created_at > last.created_at, Correction.id > last.id)
        query = query.where(and_(Correction.created_at >= last.created_at, after))
    async with database.reading() as session:
        rows = (await session.scalars(query)).all()
        return rows, await trained_versions(session, [row.id for row in rows]) if rows else {}


def _record(row: Correction, trained_in: Sequence[str]) -> Record:
    source, _, target = row.pair.partition("-")
    return Record.model_construct(
        id=row.id, source=source, target=target, source_text=row.source_text,
        machine_translation=row.machine_translation, corrected_translation=row.corrected_translation,
        model_version=row.model_version, status=row.status, reason=row.reason, marks=row.marks,
        created_at=row.created_at, changed_at=row.changed_at, reviewed_at=row.reviewed_at, trained_in=list(trained_in),
    )  # fmt: skip


def read(file: BinaryIO, format: Format, pair: str | None = None) -> Iterator[Entry]:
    """What stands in a file, line by line or unit by unit.

    Args:
        file: from its beginning
        pair: the direction in which TMX is read; of JSONL, lines of another pair are refused
    """
    if format == "tmx":
        yield from tmx.read_tmx(file, pair)
        return
    for entry in read_jsonl(file):
        if pair is not None and entry.record is not None and entry.record.pair != pair:
            entry = Entry(entry.line, None, f"is of {entry.record.pair}, not of {pair}")
        yield entry

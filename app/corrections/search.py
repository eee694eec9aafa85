"""Finding corrections, page by page. A page begins behind the last row of the one before, so that rows which come or go
meanwhile neither repeat nor hide others."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic_core import from_json, to_json
from sqlalchemy import ColumnElement, Select, String, and_, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.corrections.states import Found, find_out
from app.errors import FieldError, InvalidRequest
from app.storage.tables import APPROVED, PENDING, Correction
from app.translating.limits import FORBIDDEN

MAX_PAGE = 200
DEFAULT_PAGE = 50
TEXTS = (Correction.source_text, Correction.corrected_translation, Correction.machine_translation)
OPEN = (PENDING, APPROVED)
Order = Literal["newest", "oldest"]


@dataclass(frozen=True, slots=True)
class Search:
    """Which corrections are wanted; None means any."""

    status: str | None = None
    pair: str | None = None
    text: str | None = None
    """Stands in one of the three texts, in capitals or not."""
    marked: bool | None = None
    """Whether the checks found something odd."""
    author_key: uuid.UUID | None = None
    created_after: dt.datetime | None = None
    """From then on; with its zone."""
    created_before: dt.datetime | None = None
    """Before then; with its zone."""
    rivals_of: uuid.UUID | None = None
    """Of the same sentence as this correction, which is one of them."""
    order: Order = "newest"
    limit: int = DEFAULT_PAGE
    """Rows of a page, 1 to `MAX_PAGE`."""
    cursor: str | None = None
    """`Page.next_cursor` of the page before, from a search that was the same in everything else."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what was found."""

    items: list[Found]
    rivals: list[int]
    """Of each of `items`, how many others of its sentence wait or are approved."""
    total: int
    """How many there are on all pages."""
    next_cursor: str | None
    """None on the last page."""


async def find(session: AsyncSession, search: Search) -> Page:
    """One page.

    Raises:
        InvalidRequest: the cursor is none of ours, the limit is out of bounds, or the text holds what no text can.
    """
    if not 1 <= search.limit <= MAX_PAGE:
        raise InvalidRequest([FieldError("limit", f"must be 1 to {MAX_PAGE}", MAX_PAGE)])
    if search.text and FORBIDDEN.search(search.text):
        raise InvalidRequest([FieldError("text", "holds a control character or lone surrogate")])
    conditions = list(_conditions(search))
    total = await session.scalar(select(func.count()).select_from(Correction).where(*conditions))
    rows = (await session.scalars(_page(search).where(*conditions))).all()
    more, rows = len(rows) > search.limit, rows[: search.limit]
    cursor = _cursor(rows[-1], search.order) if more else None
    return Page(await find_out(session, rows), await _rivals(session, rows), total or 0, cursor)


async def _rivals(session: AsyncSession, rows: Sequence[Correction]) -> list[int]:
    """`Page.rivals` of `rows`."""
    open_now = Correction.status.in_(OPEN)
    sentence = (Correction.pair, Correction.source_key)
    keys: dict[str, set[str]] = {}
    for row in rows:
        keys.setdefault(row.pair, set()).add(row.source_key)
    counts: dict[tuple[str, str], int] = {}
    for pair, of_pair in keys.items():
        there = select(*sentence, func.count()).where(open_now, Correction.pair == pair)
        found = await session.execute(there.where(Correction.source_key.in_(of_pair)).group_by(*sentence))
        counts |= {(row[0], row[1]): row[2] for row in found}
    return [counts.get((row.pair, row.source_key), 0) - (row.status in OPEN) for row in rows]


def _conditions(search: Search) -> Iterator[ColumnElement[bool]]:
    if search.status is not None:
        yield Correction.status == search.status
    if search.pair is not None:
        yield Correction.pair == search.pair
    if search.author_key is not None:
        yield Correction.author_key_id == search.author_key
    if search.created_after is not None:
        yield Correction.created_at >= search.created_after
    if search.created_before is not None:
        yield Correction.created_at < search.created_before
    if search.rivals_of is not None:
        this = aliased(Correction)
        for column, same in ((Correction.pair, this.pair), (Correction.source_key, this.source_key)):
            yield column == select(same).where(this.id == search.rivals_of).scalar_subquery()
    if search.marked is not None:
        bare = cast(Correction.marks, String) == "[]"
        yield ~bare if search.marked else bare
    if search.text:
        yield or_(*(column.icontains(text, autoescape=True) for column in TEXTS for text in _spellings(search.text)))


def _spellings(text: str) -> list[str]:
    """SQLite, and PostgreSQL with the locale C, know capitals only of ASCII: the likely others are tried one by one."""
    return [text] if text.isascii() else list(dict.fromkeys((text, text.lower(), text.upper(), text.capitalize())))


def _page(search: Search) -> Select[Correction]:
    columns = (Correction.created_at, Correction.id)
    newest = search.order == "newest"
    page = select(Correction).order_by(*(column.desc() if newest else column for column in columns))
    if search.cursor is not None:
        moment, last = _position(search.cursor, search.order)
        beyond = Correction.created_at < moment if newest else Correction.created_at > moment
        tie = Correction.id < last if newest else Correction.id > last
        page = page.where(or_(beyond, and_(Correction.created_at == moment, tie)))
    return page.limit(search.limit + 1)


def _cursor(row: Correction, order: Order) -> str:
    position = to_json([order, row.created_at.isoformat(), str(row.id)])
    return base64.urlsafe_b64encode(position).decode().rstrip("=")


def _position(cursor: str, order: Order) -> tuple[dt.datetime, uuid.UUID]:
    try:
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        ordered, moment, last = from_json(base64.b64decode(padded, altchars=b"-_", validate=True))
        if ordered != order:
            raise ValueError("of another order")
        position = dt.datetime.fromisoformat(moment).astimezone(dt.UTC), uuid.UUID(last)
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error):
        raise InvalidRequest([FieldError("cursor", "is not one that this search gave; start without it")]) from None
    return position

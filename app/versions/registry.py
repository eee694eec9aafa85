"""The rows of model versions, brought into line with the folders and pointers on disk, which are the truth."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import case, func, insert, literal, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import DatabaseDown
from app.settings import Settings
from app.storage.db import Database
from app.storage.locks import Lock, lock
from app.storage.tables import (
    APPROVED,
    CANDIDATE,
    CURRENT,
    REFUSED,
    RETIRED,
    Correction,
    ModelVersion,
    TrainedCorrection,
    UtcDateTime,
    now,
)
from app.versions.store import PAIRS, list_models, pointer_root
from model.errors import ModelError
from model.versions import pointers, store
from model.versions.card import Card
from model.versions.store import VersionInfo

log = logging.getLogger("traghetto.retraining")

IDS_AT_ONCE = 500
LOOK_EVERY_S = 1.0
CARD_RESOLUTION = dt.timedelta(seconds=1)


class Row(Protocol):
    """Of `corrections`."""

    @property
    def id(self) -> uuid.UUID: ...
    @property
    def changed_at(self) -> dt.datetime: ...


async def reconcile(database: Database, settings: Settings) -> None:
    """Make a row of each version folder, its status as the pointer says, and link the corrections of its card.

    Rows whose folder is gone stay: they say where corrections went.

    Raises:
        DatabaseDown: as `Database.writing`.
        VersionDamaged: a pointer cannot be read.
    """
    found = list_models(settings)
    pairs = {info.pair for info in found}
    places = {pair: pointers.read(pointer_root(settings), pair) or pointers.Pointer(pointers.DEFAULT) for pair in pairs}
    async with database.writing() as session:
        await lock(session, Lock.DECISIONS)  # two processes would make the same rows
        rows = {(row.pair, row.version): row for row in (await session.scalars(select(ModelVersion))).all()}
        for info in found:
            row = rows.get((info.pair, info.version))
            if row is None:
                row = rows[info.pair, info.version] = ModelVersion(pair=info.pair, version=info.version)
                session.add(row)
            _describe(row, info)
        for row in rows.values():
            if row.pair in places:
                _place(row, places[row.pair])
        await session.flush()
        for info in found:
            if info.card is not None:
                await _link(session, info.card)


def _describe(row: ModelVersion, info: VersionInfo) -> None:
    if info.card is None:
        return
    row.parent = parent_of(info.card)
    row.scores, row.card = info.card.scores, info.card.to_dict()
    row.created_at = created_at(info.card)


def _place(row: ModelVersion, pointer: pointers.Pointer) -> None:
    if row.version == pointer.version:
        if row.status != CURRENT:
            row.status, row.promoted_at = CURRENT, now()
    elif row.version in pointer.history or row.status == CURRENT:
        row.status = RETIRED
    elif row.status not in (RETIRED, REFUSED):
        row.status = CANDIDATE


def parent_of(card: Card) -> str | None:
    """The version that the one of `card` was made from, if the card names one of the same pair."""
    pair, _, version = (card.parent or "").rpartition("/")
    return version if pair == card.pair else None


def created_at(card: Card) -> dt.datetime:
    """When the version was finished."""
    return dt.datetime.fromisoformat(card.created)


def read_at(card: Card) -> dt.datetime:
    """When the corrections of a version were read: what changed later, it has not seen."""
    stated = _corrections(card).get("read_at")
    return dt.datetime.fromisoformat(stated) if isinstance(stated, str) else created_at(card) + CARD_RESOLUTION


def trained_ids(card: Card) -> list[uuid.UUID]:
    """The corrections that a card says the version was trained on."""
    return [uuid.UUID(id) for id in _corrections(card).get("ids", [])]


def _corrections(card: Card) -> dict[str, Any]:
    """What a card says of corrections; a corpus may have a table of that name, which says nothing of this."""
    found = card.data.get("corrections")
    return found if isinstance(found, dict) else {}


async def _link(session: AsyncSession, card: Card) -> None:
    """Add the links of `card` that are missing; corrections that were deleted since get none."""
    ids = trained_ids(card)
    if not ids:
        return
    known = select(TrainedCorrection.correction_id).where(
        TrainedCorrection.pair == card.pair, TrainedCorrection.version == card.version
    )
    linked = set((await session.scalars(known)).all())
    missing = [id for id in ids if id not in linked]
    for start in range(0, len(missing), IDS_AT_ONCE):
        chunk = missing[start : start + IDS_AT_ONCE]
        same = Correction.id.in_(chunk), Correction.changed_at <= read_at(card)  # else no version has seen its text
        there = (await session.scalars(select(Correction.id).where(*same))).all()
        if there:
            rows = [{"correction_id": id, "pair": card.pair, "version": card.version} for id in there]
            await session.execute(insert(TrainedCorrection), rows)


def lineage(roots: Sequence[Path], pair: str, version: str) -> list[Card]:
    """The card of `version`, of its parent, and so on, as far as they are on disk."""
    cards = {info.version: info.card for info in store.list_versions(roots, pair)}
    line: dict[str, Card] = {}
    here: str | None = version
    while here is not None and here not in line:
        card = cards.get(here)
        if card is None:
            break
        line[here] = card
        here = parent_of(card)
    return list(line.values())


def ancestry(roots: Sequence[Path], pair: str, version: str) -> dict[uuid.UUID, dt.datetime]:
    """All corrections that `version` or an ancestor was trained on, and when that was last, by the cards on disk."""
    found: dict[uuid.UUID, dt.datetime] = {}
    for card in lineage(roots, pair, version):
        moment = read_at(card)
        for id in trained_ids(card):
            found[id] = max(moment, found.get(id, moment))
    return found


def is_learnt(row: Row, learnt: Mapping[uuid.UUID, dt.datetime]) -> bool:
    """Whether a correction was trained on as it is now: not if it was changed since."""
    return row.id in learnt and row.changed_at <= learnt[row.id]


async def count_new(session: AsyncSession, line: Sequence[Card], pair: str) -> tuple[int, dt.datetime | None]:
    """How many approved corrections `is_learnt` is not true of, by the links that `reconcile` made of the cards of
    `line`, and when the last of them changed. Nothing else leaves the database."""
    new = select(func.count(), func.max(Correction.changed_at)).where(
        Correction.pair == pair, Correction.status == APPROVED
    )
    if line:
        moments = {card.version: literal(read_at(card), UtcDateTime) for card in line}
        learnt = select(TrainedCorrection.version).where(
            TrainedCorrection.correction_id == Correction.id,
            TrainedCorrection.pair == pair,
            Correction.changed_at <= case(moments, value=TrainedCorrection.version),  # of another version it is null
        )
        new = new.where(~learnt.exists())
    count, newest = (await session.execute(new)).one()
    return count, newest


async def keep_reconciled(database: Database, settings: Settings) -> None:
    """`reconcile` now and whenever a pointer moves, until cancelled. A database that is away is tried again."""
    seen: tuple[bytes | None, ...] | None = None
    while True:
        try:
            here = tuple(pointers.read_bytes(pointer_root(settings), pair) for pair in PAIRS)
            if here != seen:
                await reconcile(database, settings)
                seen = here
        except (DatabaseDown, ModelError, SQLAlchemyError) as error:
            log.debug("model versions could not be reconciled: %s", error)
        await asyncio.sleep(LOOK_EVERY_S)

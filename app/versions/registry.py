"""The rows of model versions, brought into line with the folders and pointers on disk, which are the truth."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import case, func, insert, literal, select
from sqlalchemy.exc import DataError, DBAPIError, StatementError
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import DatabaseDown
from app.languages import PAIRS
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
from app.versions.store import list_models, pointer_root
from model.errors import ConfigError, ModelError
from model.versions import pointers, store
from model.versions.card import Card, moment
from model.versions.store import VersionInfo

log = logging.getLogger("traghetto.retraining")

IDS_AT_ONCE = 500
LOOK_EVERY_S = 1.0
CARD_RESOLUTION = dt.timedelta(seconds=1)


async def reconcile(database: Database, settings: Settings) -> None:
    """Make a row of each version folder, its status as the pointer says, and link the corrections of its card.

    Rows whose folder is gone stay: they say where corrections went. A version that cannot be stored, and the status of
    a pair whose pointer cannot be read, are left as they are, and logged: the others must not wait for them.

    Raises:
        DatabaseDown: as `Database.writing`.
    """
    found = list_models(settings)
    places = _places(settings, {info.pair for info in found})
    async with database.writing() as session:
        await lock(session, Lock.DECISIONS)  # two processes would make the same rows
        for info in found:
            try:
                async with session.begin_nested():
                    await _store(session, info)
            except (DataError, StatementError, ValueError, TypeError) as error:
                if isinstance(error, DBAPIError) and not isinstance(error, DataError):
                    raise  # a fault of the database
                log.error("%s/%s cannot be stored: %s", info.pair, info.version, error)
        for row in (await session.scalars(select(ModelVersion))).all():
            if row.pair in places:
                _place(row, places[row.pair])


def _places(settings: Settings, pairs: set[str]) -> dict[str, pointers.Pointer]:
    places = {}
    for pair in pairs:
        try:
            places[pair] = pointers.read(pointer_root(settings), pair) or pointers.Pointer(pointers.DEFAULT)
        except ModelError as error:
            log.error("%s: nobody can tell which version is current: %s", pair, error)
    return places


async def _store(session: AsyncSession, info: VersionInfo) -> None:
    row = await session.get(ModelVersion, (info.pair, info.version))
    if row is None:
        row = ModelVersion(pair=info.pair, version=info.version)
        session.add(row)
    _describe(row, info)
    await session.flush()
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
    stated: object = card.parent
    pair, _, version = (stated if isinstance(stated, str) else "").rpartition("/")
    return version if pair == card.pair else None


def created_at(card: Card) -> dt.datetime:
    """When the version was finished."""
    return dt.datetime.fromisoformat(card.created)


def read_at(card: Card) -> dt.datetime:
    """When the corrections of a version were read: what changed later, it has not seen."""
    try:
        return moment(_corrections(card).get("read_at"), "read_at")
    except ConfigError:  # it does not say, or nothing that can be used
        return created_at(card) + CARD_RESOLUTION


def trained_ids(card: Card) -> list[uuid.UUID]:
    """The corrections that a card says the version was trained on."""
    stated = _corrections(card).get("ids")
    return [uuid.UUID(id) for id in stated if _is_id(id)] if isinstance(stated, list) else []


def _is_id(text: object) -> bool:
    """A card is a file, and anybody may have written it: what is no id names no correction."""
    try:
        return isinstance(text, str) and bool(uuid.UUID(text))
    except ValueError:
        return False


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


def descent(roots: Sequence[Path], pair: str, version: str) -> Iterator[Card]:
    """The card of `version`, of its parent, and so on, as far as they are on disk; read one by one."""
    seen: set[str] = set()
    here: str | None = version
    while here is not None and here not in seen:
        seen.add(here)
        try:
            card = Card.read(store.find(roots, pair, here))
        except ModelError:
            return
        yield card
        here = parent_of(card)


def lineage(roots: Sequence[Path], pair: str, version: str) -> list[Card]:
    """All of `descent`."""
    return list(descent(roots, pair, version))


def ancestry(roots: Sequence[Path], pair: str, version: str) -> dict[uuid.UUID, dt.datetime]:
    """All corrections that `version` or an ancestor was trained on, and when that was last, by the cards on disk."""
    found: dict[uuid.UUID, dt.datetime] = {}
    for card in lineage(roots, pair, version):
        moment = read_at(card)
        for id in trained_ids(card):
            found[id] = max(moment, found.get(id, moment))
    return found


def is_learnt(row: Correction, learnt: Mapping[uuid.UUID, dt.datetime]) -> bool:
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
    """`reconcile` now and whenever a pointer moves, until cancelled. A database that is away is tried again; anything
    else that fails is for `app.background`."""
    seen: tuple[bytes | str | None, ...] | None = None
    while True:
        try:
            here = tuple(_held(settings, pair) for pair in PAIRS)
            if here != seen:
                await reconcile(database, settings)
                seen = here
        except DatabaseDown:
            log.debug("model versions are not reconciled: the database does not answer")
        await asyncio.sleep(LOOK_EVERY_S)


def _held(settings: Settings, pair: str) -> bytes | str | None:
    """What the pointer of `pair` holds, or why that cannot be read."""
    try:
        return pointers.read_bytes(pointer_root(settings), pair)
    except ModelError as error:
        return str(error)

"""Every version on disk with what became of it: for whoever chooses which one shall translate."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from app.corrections.states import lineage
from app.errors import DatabaseDown, NotFound, told
from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import REFUSED, RETIRED, ModelVersion, RetrainingRun
from app.versions.description import shown_name
from app.versions.registry import parent_of, trained_ids
from app.versions.store import list_models, pointer_root
from model.errors import VersionError
from model.versions import pointers
from model.versions.card import Card, check_name
from model.versions.store import VersionInfo

log = logging.getLogger("traghetto.retraining")

CURRENT_NOW, ONCE_CURRENT, NEVER_CURRENT, TURNED_DOWN = "current", "retired", "candidate", "refused"
MOST_ANCESTORS = 100

Key = tuple[str, str]
"""Pair and version."""


@dataclass(frozen=True)
class Entry:
    """One version."""

    info: VersionInfo
    status: str
    """`current`, `retired` (was current), `candidate` (never was) or `refused` (by the gate)."""
    parent: str | None
    lineage: list[str]
    """Its ancestors, nearest first; the last may not be on disk."""
    corrections: int
    """How many it was trained on itself."""

    @property
    def card(self) -> Card | None:
        """None for a damaged version."""
        return self.info.card


@dataclass(frozen=True)
class Listing:
    """All versions on disk."""

    entries: list[Entry]
    rollback: dict[str, str | None]
    """Pair -> the version that a rollback would make current; None where it would be refused."""


class Catalogue:
    """Reads the folders, off the event loop, and from the database what only that knows."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database

    async def listing(self) -> Listing:
        """All versions on disk, and where a rollback would lead. Without a database nobody knows which ones the gate
        refused; the rest is told."""
        found = await asyncio.to_thread(list_models, self._settings)
        places = await asyncio.to_thread(_places, self._settings, {info.pair for info in found})
        decided = await self._decided()
        parents = {(info.pair, info.version): _parent(info) for info in found}
        usable = {(info.pair, info.version) for info in found if info.problem is None}
        return Listing(
            [_entry(info, parents, places[info.pair], decided) for info in found],
            {pair: _before(pair, pointer, usable) for pair, pointer in places.items()},
        )

    async def entry(self, pair: str, version: str) -> Entry:
        """One of them.

        Raises:
            NotFound: there is no such version.
        """
        check_known_name(pair, version)
        for one in (await self.listing()).entries:
            if (one.info.pair, one.info.version) == (pair, version):
                return one
        raise NotFound(f"There is no version {version} of {pair}.")

    async def run_of(self, pair: str, version: str) -> uuid.UUID | None:
        """The retraining that made the version; None if none did, or the database does not answer."""
        made = RetrainingRun.pair == pair, RetrainingRun.candidate == version
        wanted = select(RetrainingRun.id).where(*made).order_by(RetrainingRun.started_at.desc()).limit(1)
        try:
            async with self._database.reading() as session:
                return await session.scalar(wanted)
        except DatabaseDown:
            return None

    async def _decided(self) -> dict[Key, str]:
        wanted = select(ModelVersion.pair, ModelVersion.version, ModelVersion.status)
        try:
            async with self._database.reading() as session:
                return {(pair, version): status for pair, version, status in await session.execute(wanted)}
        except DatabaseDown:
            return {}


def check_known_name(pair: str, version: str) -> None:
    """Raise `NotFound` for what is no name of a version."""
    try:
        check_name(pair, version)
    except VersionError as error:
        raise NotFound(told(error)) from error


def _places(settings: Settings, pairs: Iterable[str]) -> dict[str, pointers.Pointer | None]:
    """The pointer of each pair; None where nobody can tell which version is current."""
    found: dict[str, pointers.Pointer | None] = {}
    for pair in pairs:
        try:
            found[pair] = pointers.read(pointer_root(settings), pair) or pointers.Pointer(pointers.DEFAULT)
        except VersionError as error:
            log.error("%s: nobody can tell which version is current: %s", pair, error)
            found[pair] = None
    return found


def _before(pair: str, pointer: pointers.Pointer | None, usable: Collection[Key]) -> str | None:
    try:
        version = pointers.previous_of(pointer, pair)
    except VersionError:
        return None
    return version if (pair, version) in usable else None


def _entry(
    info: VersionInfo,
    parents: Mapping[Key, str | None],
    pointer: pointers.Pointer | None,
    decided: Mapping[Key, str],
) -> Entry:
    return Entry(
        info=info,
        status=_status(info.version, pointer, decided.get((info.pair, info.version))),
        parent=parents[info.pair, info.version],
        lineage=lineage(info.pair, info.version, parents)[1 : MOST_ANCESTORS + 1],
        corrections=len(trained_ids(info.card)) if info.card else 0,
    )


def _status(version: str, pointer: pointers.Pointer | None, decided: str | None) -> str:
    if pointer is not None and version == pointer.version:
        return CURRENT_NOW
    if decided == RETIRED or (pointer is not None and version in pointer.history):
        return ONCE_CURRENT
    return TURNED_DOWN if decided == REFUSED else NEVER_CURRENT


def _parent(info: VersionInfo) -> str | None:
    return shown_name(parent_of(info.card)) if info.card else None

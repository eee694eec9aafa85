"""One retraining at a time; and what one that was killed leaves: users' texts, a candidate, a run that says `running`.

The system lets the lock go however a process dies. So whoever gets the lock knows that what lies there is left over.
Servers that share a store of versions have a data directory each, and a lock in it keeps the others from nothing: they
take another one in the database too.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import func, select

from app.errors import Conflict, StoreDown
from app.languages import PAIRS
from app.settings import Settings
from app.storage.db import Database, is_sqlite
from app.storage.locks import Lock, held
from app.storage.tables import INTERRUPTED, PROMOTED, RUNNING, RetrainingRun, now
from app.versions.shared_store import SharedStore
from app.versions.store import pointer_root
from model.versions import pointers
from model.versions.card import check_name

log = logging.getLogger("traghetto.retraining")

LOCK, WORK = "retrain.lock", "retraining"


class AlreadyRunning(Conflict):
    """Another retraining runs on this data directory, or on another server that shares store and database."""

    def __init__(self) -> None:
        super().__init__("another retraining runs already; only one may at a time")


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Hold the lock of retraining.

    Raises:
        AlreadyRunning: another process holds it.
        DatabaseDown: the lock is in the database too, and that cannot be reached.
    """
    with ExitStack() as stack:
        stack.enter_context(_only_one_here(settings))
        is_shared = settings.models_url is not None and not is_sqlite(settings.database)
        if is_shared and not stack.enter_context(held(settings.database, Lock.RETRAINING)):
            raise AlreadyRunning
        yield


@contextmanager
def _only_one_here(settings: Settings) -> Iterator[None]:
    """Hold the lock of the data directory.

    Raises:
        AlreadyRunning: another process holds it.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with (settings.data_dir / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning from None
        yield


def is_running(settings: Settings) -> bool:
    """Whether a retraining runs; at the next moment that may be otherwise.

    Raises:
        DatabaseDown: as `only_one`.
    """
    try:
        with only_one(settings):
            return False
    except AlreadyRunning:
        return True


def work_root(settings: Settings) -> Path:
    """Where a run has its folder, which holds users' texts."""
    return settings.data_dir / WORK


async def clear_leftovers(settings: Settings, database: Database) -> None:
    """Remove what a run that was killed has left, unless one is going on. The lock is taken only if there is something.

    Raises:
        DatabaseDown: as `Database.writing`; the texts are gone all the same.
        VersionError: a pointer cannot be read.
    """
    try:
        if await asyncio.to_thread(_has_work, settings):
            with _only_one_here(settings):
                await asyncio.to_thread(shutil.rmtree, work_root(settings), ignore_errors=True)
                log.info("removed what a retraining that was killed had left")
        if await _count_running(database):
            with ExitStack() as stack:
                await asyncio.to_thread(stack.enter_context, only_one(settings))
                await asyncio.to_thread(_follow_store, settings)
                await close_dead_runs(database, settings)
    except AlreadyRunning:
        return
    except StoreDown as error:
        log.warning("nobody can tell what became of a retraining: %s", error)


def _follow_store(settings: Settings) -> None:
    """What the runs of other servers have promoted."""
    store = SharedStore.of(settings)
    if store is not None:
        for pair in PAIRS:
            store.follow(pair)


def _has_work(settings: Settings) -> bool:
    root = work_root(settings)
    return root.is_dir() and any(root.iterdir())


async def _count_running(database: Database) -> int:
    running = select(func.count()).select_from(RetrainingRun).where(RetrainingRun.state == RUNNING)
    async with database.reading() as session:
        return await session.scalar(running) or 0


async def close_dead_runs(database: Database, settings: Settings) -> None:
    """Close the runs that still say `running`; for who holds the lock.

    Raises:
        DatabaseDown: as `Database.writing`.
        VersionDamaged: a pointer cannot be read.
    """
    async with database.writing() as session:
        dead = (await session.scalars(select(RetrainingRun).where(RetrainingRun.state == RUNNING))).all()
        for run in dead:
            run.state, run.finished_at = settle(settings, run.pair, run.candidate), now()


def settle(settings: Settings, pair: str, candidate: str) -> str:
    """The state of a run that ended early: promoted if the pointer has moved; else interrupted, and no candidate stays.

    Raises:
        VersionDamaged: the pointer cannot be read.
    """
    check_name(pair, candidate)
    pointer = pointers.read(pointer_root(settings), pair)
    if pointer is not None and candidate in (pointer.version, *pointer.history):
        return PROMOTED
    shutil.rmtree(pointer_root(settings) / pair / candidate, ignore_errors=True)
    return INTERRUPTED

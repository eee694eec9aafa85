"""Asking a retraining to end, on whichever server it runs: by its row in the database, and by a file where it runs.

Who looks after a run, which is its own process and the server that has begun it, looks at that row every other second,
and puts a file beside the progress of the run: `ID.stop`, which ends it. So a run ends that runs on another server than
the one that was asked, and the file does for a data directory alone, also while the database is away (`ask_if_here`).
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.errors import Conflict, DatabaseDown, NotFound
from app.retraining.progress import progress_file
from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import RUNNING, RetrainingRun, now

log = logging.getLogger("traghetto.retraining")

LOOK_EVERY_S = 0.5
"""At the file, in the process of a run."""
LOOK_AT_DATABASE_S, RETRY_S = 2.0, 15.0
"""The second while it is away."""


class AskedUnrecorded(DatabaseDown):
    """A run was asked to end by its file alone: whether it had ended before, only the database knows."""

    def __str__(self) -> str:
        return "The database does not answer. If the retraining still runs on this server, it stops all the same."


def stop_file(settings: Settings, id: uuid.UUID) -> Path:
    """What asks the run `id` to end, by being there."""
    return progress_file(settings, id).with_suffix(".stop")


async def ask_to_stop(settings: Settings, database: Database, id: uuid.UUID) -> RetrainingRun:
    """Have the run end, wherever it runs; it does so soon.

    Raises:
        NotFound: there is none.
        Conflict: it has ended.
        DatabaseDown: as `Database.writing`.
    """
    async with database.writing() as session:
        run = await session.get(RetrainingRun, id)
        if run is None:
            raise NotFound(f"There is no retraining {id}.")
        if run.state != RUNNING:
            raise Conflict(f"The retraining {id} has ended: it is {run.state}.")
        run.stop_asked_at = run.stop_asked_at or now()
    await asyncio.to_thread(ask_if_here, settings, id)  # at once
    return run


def ask_if_here(settings: Settings, id: uuid.UUID) -> bool:
    """`ask_here` if the run has begun on this data directory; whether that was done."""
    return progress_file(settings, id).exists() and ask_here(settings, id)


def ask_here(settings: Settings, id: uuid.UUID) -> bool:
    """Have the run end if it runs on this data directory; False if that cannot be written to."""
    path = stop_file(settings, id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        log.warning("retraining %s is to stop, and no file can say so: %s", id, error.strerror)
        return False
    return True


class Asked:
    """Whether somebody wants a run to end, for who looks after it. Belongs to one event loop."""

    def __init__(self, settings: Settings, database: Database, id: uuid.UUID) -> None:
        self._settings, self._database, self._id = settings, database, id
        self._was_asked = self._is_away = False
        self._next_look = 0.0
        """At the database, on the monotonic clock."""

    async def look(self) -> bool:
        """Whether the file is there, to which this passes on what the database says; one that is away asks nothing.

        Once somebody has asked, it stays so: where no file can be written, only this one of the two knows, and that
        will do.
        """
        if not self._was_asked:
            is_there = await asyncio.to_thread(stop_file(self._settings, self._id).exists)
            self._was_asked = is_there or await self._look_at_database()
        return self._was_asked

    async def _look_at_database(self) -> bool:
        """What it says, if it is time to look."""
        if time.monotonic() < self._next_look:
            return False
        try:
            asked = await self._asked_at_database()
        except (DatabaseDown, SQLAlchemyError) as error:  # or it is older than this program: the run goes on
            if not self._is_away:
                log.warning("whether retraining %s is to stop is not known: %s", self._id, type(error).__name__)
            self._is_away, self._next_look = True, time.monotonic() + RETRY_S
            return False
        self._is_away, self._next_look = False, time.monotonic() + LOOK_AT_DATABASE_S
        if asked:
            await asyncio.to_thread(ask_here, self._settings, self._id)
        return asked

    async def _asked_at_database(self) -> bool:
        asked = select(RetrainingRun.stop_asked_at).where(RetrainingRun.id == self._id)
        async with self._database.reading() as session:
            return await session.scalar(asked) is not None


@contextmanager
def stopping_when_asked(settings: Settings, id: uuid.UUID) -> Iterator[None]:
    """While this lasts, and never later, who asks the run to end has the main thread of this process get SIGTERM."""
    over, main = threading.Event(), threading.main_thread().ident
    ending = threading.Lock()
    """Of two, a signal and the end, the later one sees the other."""

    def watch() -> None:
        asked = asyncio.run(_is_asked(settings, id, over))
        with ending:
            if asked and not over.is_set() and main is not None:
                log.info("the retraining is asked to stop")
                signal.pthread_kill(main, signal.SIGTERM)  # to this thread, so that what it waits for is broken off

    thread = threading.Thread(target=watch, name="stopping", daemon=True)
    thread.start()
    try:
        yield
    finally:
        with ending:
            over.set()
        thread.join(10 * LOOK_EVERY_S)


async def _is_asked(settings: Settings, id: uuid.UUID, over: threading.Event) -> bool:
    """Wait until somebody asks, or until it is `over`."""
    database = Database(settings.database)
    asked = Asked(settings, database, id)
    try:
        while not await asyncio.to_thread(over.wait, LOOK_EVERY_S):
            if await asked.look():
                return True
        return False
    finally:
        await database.close()

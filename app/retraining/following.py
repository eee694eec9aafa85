"""A retraining as it goes on, for whoever watches: what it has told so far, then what it tells, then how it ended.

A run of another server, whose data directory is not this one, tells nothing here but what the database knows: that it
has begun, and how it ended.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import NamedTuple

from app.errors import Busy, DatabaseDown, NotFound
from app.retraining.leftovers import clear_leftovers
from app.retraining.progress import BEGUN, ENDED, FIELDS, Event, Reader, progress_file
from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import RUNNING, RetrainingRun
from model.errors import ModelError

log = logging.getLogger("traghetto.retraining")

LOOK_EVERY_S = 0.5
LOOK_AT_DATABASE_S = 5.0
"""What has died tells nothing, nor does a run of another server; the database does, once somebody has found out."""
LONGEST_S = 3600.0
"""Then the watcher must come again, and is told only what it has not heard."""
MOST_WATCHERS = 50
"""In one worker: each asks the disk twice a second."""
END = "end"


class Told(NamedTuple):
    """One event, by its number in the run."""

    number: int
    event: Event


class Follower:
    """Follows runs of any process on the data directory."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._watchers = 0

    async def check(self, id: uuid.UUID) -> None:
        """Return if run `id` can be followed.

        Raises:
            NotFound: there is none.
            Busy, DatabaseDown: see `app.errors`.
        """
        if self._watchers >= MOST_WATCHERS:
            raise Busy(MOST_WATCHERS, "clients that follow retrainings", 5)
        file = progress_file(self._settings, id)
        if not await asyncio.to_thread(file.exists) and await self._find(id) is None:
            raise NotFound(f"There is no retraining {id}.")

    async def follow(self, id: uuid.UUID, after: int, is_over: Callable[[], bool]) -> AsyncGenerator[Told | None]:
        """The events of run `id` that come after number `after`, until it has ended, `is_over`, or for `LONGEST_S`.

        None is nothing new: it comes about twice a second. The last event of a run that has ended is `end`, with its
        `state`, its `candidate` and, in `log`, why it was refused or failed. The first is `begun`, also where there is
        no file of the run: it is a copy of that in the file of the server that runs it.
        """
        self._watchers += 1
        try:
            async with aclosing(self._follow(id, after, is_over)) as following:
                async for told in following:
                    yield told
        finally:
            self._watchers -= 1

    async def _follow(self, id: uuid.UUID, after: int, is_over: Callable[[], bool]) -> AsyncGenerator[Told | None]:
        reader, last = Reader(progress_file(self._settings, id)), 0
        began = time.monotonic()
        looked = -LOOK_AT_DATABASE_S
        while not is_over() and time.monotonic() - began < LONGEST_S:
            has_ended = False
            for number, event in await asyncio.to_thread(reader.read):
                last, has_ended = number, has_ended or event["event"] == ENDED
                if number > after and event["event"] != ENDED:
                    yield Told(number, event)
            if has_ended or time.monotonic() - looked >= LOOK_AT_DATABASE_S:
                looked = time.monotonic()
                run = await self._looked_after(id)
                if run is not None and last == 0:
                    last = 1
                    if after < last:
                        yield Told(last, _begun(run))
                    after = max(after, last)  # the file may be here by now, and begins with the same
                if run is not None and run.state != RUNNING:
                    yield Told(last + 1, _end(run))
                    return
            yield None
            await asyncio.sleep(LOOK_EVERY_S)

    async def _looked_after(self, id: uuid.UUID) -> RetrainingRun | None:
        """What the database knows of run `id`; None if nothing, or nothing now."""
        try:
            await clear_leftovers(self._settings, self._database)
            return await self._find(id)
        except DatabaseDown:
            return None
        except ModelError as error:  # a pointer cannot be read
            log.error("nobody can tell what became of retraining %s: %s", id, error)
            return None

    async def _find(self, id: uuid.UUID) -> RetrainingRun | None:
        async with self._database.reading() as session:
            return await session.get(RetrainingRun, id)


def _begun(run: RetrainingRun) -> Event:
    return {"event": BEGUN, **{name: getattr(run, name) for name in FIELDS[BEGUN]}}


def _end(run: RetrainingRun) -> Event:
    return {"event": END, "state": run.state, "candidate": run.candidate, "log": run.log}

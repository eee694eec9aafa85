"""When a retraining is due, and starting it: nightly, or after so many corrections. In a process of its own.

Every worker runs this: who gets the lock starts the run, the others see that it is not due any more.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import sys
from dataclasses import dataclass

from sqlalchemy import func, select

from app.errors import DatabaseDown
from app.languages import PAIRS
from app.retraining.leftovers import clear_leftovers
from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import RetrainingRun, now
from app.versions.registry import count_new, lineage
from app.versions.store import current_version, model_roots

log = logging.getLogger("traghetto.retraining")

LOOK_EVERY_S = 30.0
STOP_TIMEOUT_S = 20.0
NICENESS = ("nice", "-n", "10")
"""The server's own work goes first."""


@dataclass(frozen=True)
class Standing:
    """What decides whether a pair is due."""

    new: int
    """Approved corrections that the current version has not learnt."""
    newest: dt.datetime | None
    """When the last of them changed."""
    last_run: dt.datetime | None
    """When the last retraining of the pair began, whatever came of it."""


def is_due(standing: Standing, settings: Settings, moment: dt.datetime) -> bool:
    """Whether it is time. What was judged once is not judged again before something new is approved.

    Args:
        moment: now, in the local time zone, which `retrain_at` is in.
    """
    if standing.new == 0 or standing.newest is None:
        return False
    if standing.last_run is not None and standing.last_run >= standing.newest:
        return False
    if settings.retrain_after and standing.new >= settings.retrain_after:
        return True
    if settings.retrain_at is None:
        return False
    last_time = dt.datetime.combine(moment.date(), settings.retrain_at, moment.tzinfo)
    if last_time > moment:
        last_time -= dt.timedelta(days=1)
    return moment - last_time < dt.timedelta(hours=1) and (standing.last_run is None or standing.last_run < last_time)


class RetrainingService:
    """Looks every half minute; one run at a time."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database

    async def run(self) -> None:
        """Until cancelled; a run that is going on is asked to stop, and leaves nothing behind. A database that is away
        is tried again; anything else that fails is for `app.background`."""
        cleared = False
        while not cleared or self._settings.retrain_at or self._settings.retrain_after:
            try:
                if cleared:
                    await self._look()
                else:
                    await clear_leftovers(self._settings, self._database)
                    cleared = True
            except DatabaseDown as error:
                log.warning("retraining was not looked after: %s", error)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        for pair in PAIRS:
            if is_due(await self.standing(pair), self._settings, dt.datetime.now().astimezone()):
                await self.start(pair)

    async def standing(self, pair: str) -> Standing:
        """How `pair` stands.

        Raises:
            DatabaseDown: as `Database.reading`.
        """
        version = await asyncio.to_thread(current_version, self._settings, pair)
        line = await asyncio.to_thread(lineage, model_roots(self._settings), pair, version or "")
        begun = select(func.max(RetrainingRun.started_at)).where(RetrainingRun.pair == pair)
        async with self._database.reading() as session:
            new, newest = await count_new(session, line, pair)
            return Standing(new, newest, await session.scalar(begun))

    async def start(self, pair: str) -> int:
        """Retrain `pair` in a process of its own and wait for it; its exit status."""
        log.info("%s: retraining begins", pair)
        command = (*NICENESS, sys.executable, "-m", "app.cli", "retrain", "--pair", pair)
        process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            await _stop(process)
            raise
        if status not in _ENDS:
            await clear_leftovers(self._settings, self._database)
        log.info("%s: retraining ended %s at %s", pair, _ENDS.get(status, f"with status {status}"), now().isoformat())
        return status


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ask it to stop as Ctrl-C does; what does not in time is killed, and cleared away at the next start."""
    process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        log.warning("the retraining did not stop within %g s and was killed", STOP_TIMEOUT_S)
        process.kill()
        await process.wait()


_ENDS = {0: "with a promotion", 3: "with nothing to learn", 4: "without a promotion: the gate refused"}

"""When a retraining is due, and starting it: nightly, after so many corrections, or when somebody asks for it.

Every worker runs this: who gets the lock starts the run, the others see that it is not due any more. A run is a process
of its own, which ends with the worker that has started it; what the others know of it is in files and in the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import os
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from app.errors import Conflict, DatabaseDown, RetrainingFailed, ShuttingDown
from app.languages import PAIRS
from app.retraining import progress
from app.retraining.exits import EXIT_NOTHING, EXIT_PROMOTED, EXIT_REFUSED, EXIT_RUNNING
from app.retraining.leftovers import AlreadyRunning, clear_leftovers, is_running
from app.retraining.stopping import Asked, AskedUnrecorded, ask_if_here, ask_to_stop
from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import RetrainingRun, now
from app.versions.registry import count_new, lineage
from app.versions.store import current_version, model_roots

log = logging.getLogger("traghetto.retraining")

LOOK_EVERY_S = 30.0
STOP_TIMEOUT_S = 20.0
BEGIN_TIMEOUT_S = 60.0
"""How long who asks for a run waits to hear that it has really begun; one that takes longer goes on all the same."""
LOOK_AFTER_S, LOOK_BEGUN_S = 1.0, 0.1
COMMAND = ("nice", "-n", "10", sys.executable, "-m", "app.cli", "retrain")
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
    """Looks every half minute; one run at a time. All of it belongs to one event loop."""

    def __init__(self, settings: Settings, database: Database, command: Sequence[str] = COMMAND) -> None:
        """`command` is what a run is, before its options."""
        self._settings, self._database, self._command = settings, database, command
        self._runs: set[asyncio.Task[int]] = set()
        self._stopping = False

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
        id = uuid.uuid4()
        return await self._watch(pair, id, await self._spawn(pair, id))

    async def begin(self, pair: str, *, dry_run: bool = False) -> uuid.UUID:
        """Retrain `pair` in a process of its own; the id of the run, which has begun.

        Raises:
            Conflict: there is nothing to learn, or another retraining runs.
            RetrainingFailed, ShuttingDown, DatabaseDown: see `app.errors`.
        """
        if self._stopping:
            raise ShuttingDown
        if (await self.standing(pair)).new == 0:
            raise _nothing(pair)
        if await asyncio.to_thread(is_running, self._settings):
            raise AlreadyRunning
        id = uuid.uuid4()
        process = await self._spawn(pair, id, *(["--dry-run"] if dry_run else []))
        if self._stopping:  # meanwhile: nobody would wait for it
            await _stop(process)
            raise ShuttingDown
        run = asyncio.create_task(self._watch(pair, id, process))
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)
        await self._begun(pair, id, run)
        return id

    async def stop_run(self, id: uuid.UUID) -> RetrainingRun:
        """Ask the run `id` to end, whichever process of whichever server it is; it does so soon.

        Raises:
            NotFound: there is none.
            Conflict: it has ended.
            AskedUnrecorded: the database does not answer, and the run was begun on this data directory.
            DatabaseDown: as `Database.writing`.
        """
        try:
            await clear_leftovers(self._settings, self._database)
            return await ask_to_stop(self._settings, self._database, id)
        except DatabaseDown:
            if await asyncio.to_thread(ask_if_here, self._settings, id):
                raise AskedUnrecorded from None
            raise

    async def stop(self) -> None:
        """End the runs that were begun here, and begin no more."""
        self._stopping = True
        for run in self._runs:
            run.cancel()
        await asyncio.gather(*self._runs, return_exceptions=True)

    async def _spawn(self, pair: str, id: uuid.UUID, *options: str) -> asyncio.subprocess.Process:
        log.info("%s: retraining %s begins", pair, id)
        command = (*self._command, "--pair", pair, "--id", str(id), *options)
        environment = {**os.environ, **self._settings.to_environment()}
        return await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL, env=environment)

    async def _watch(self, pair: str, id: uuid.UUID, process: asyncio.subprocess.Process) -> int:
        """The exit status of a run. If this is cancelled, the run is stopped."""
        try:
            status = await self._ended(id, process)
        except asyncio.CancelledError:
            await _stop(process)
            raise
        if status not in _ENDS:
            await clear_leftovers(self._settings, self._database)
        log.info("%s: retraining ended %s at %s", pair, _ENDS.get(status, f"with status {status}"), now().isoformat())
        return status

    async def _ended(self, id: uuid.UUID, process: asyncio.subprocess.Process) -> int:
        """Wait for a run. One that was asked to end, and does not in time, is killed."""
        stopping_s = 0.0
        asked = Asked(self._settings, self._database, id)
        while True:
            try:
                async with asyncio.timeout(LOOK_AFTER_S):
                    return await process.wait()
            except TimeoutError:
                stopping_s += LOOK_AFTER_S if await asked.look() else 0.0
                if stopping_s > STOP_TIMEOUT_S:
                    await _stop(process)

    async def _begun(self, pair: str, id: uuid.UUID, run: asyncio.Task[int]) -> None:
        """Wait until the run `id` tells that it has begun, for a limited time.

        Raises:
            Conflict, RetrainingFailed: it has ended without.
        """
        file = progress.progress_file(self._settings, id)
        for _ in range(round(BEGIN_TIMEOUT_S / LOOK_BEGUN_S)):
            ended = run.done()  # looked at first: what ends has told before that it began
            if await asyncio.to_thread(file.exists):
                return
            if ended:
                raise _why_not_begun(pair, run)
            await asyncio.wait([run], timeout=LOOK_BEGUN_S)


def _nothing(pair: str) -> Conflict:
    return Conflict(f"There is nothing to learn: {pair} has learnt all approved corrections.")


def _why_not_begun(pair: str, run: asyncio.Task[int]) -> Conflict | RetrainingFailed | ShuttingDown:
    if run.cancelled():
        return ShuttingDown()
    status = None if run.exception() else run.result()
    if status == EXIT_RUNNING:
        return AlreadyRunning()
    return _nothing(pair) if status == EXIT_NOTHING else RetrainingFailed()


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ask it to stop as Ctrl-C does; what does not in time is killed, and cleared away at the next start."""
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        log.warning("the retraining did not stop within %g s and was killed", STOP_TIMEOUT_S)
        process.kill()
        await process.wait()


_ENDS = {
    EXIT_PROMOTED: "with a promotion",
    EXIT_NOTHING: "with nothing to learn",
    EXIT_REFUSED: "without a promotion: the gate refused",
    EXIT_RUNNING: "at once: another one runs",
}

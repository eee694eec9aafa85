"""One retraining: corrections out of the database, the trainer, the gate, records, and the promotion.

The trainer is handed in: this package never imports it, and a server starts a process of its own for a run.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import shutil
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import select, update

from app.errors import AppError, Conflict, told
from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import (
    APPROVED,
    FAILED,
    INTERRUPTED,
    KEPT,
    PROMOTED,
    REFUSED,
    RUN_REJECTED,
    RUNNING,
    Correction,
    LoggedTranslation,
    ModelVersion,
    RetrainingRun,
    now,
)
from app.versions.promotion import promote
from app.versions.registry import ancestry, is_learnt, reconcile
from app.versions.store import current_version, model_roots
from model.versions import store
from model.versions.pointers import DEFAULT

T = TypeVar("T")

LOCK = "retrain.lock"
MOST_LOGGED = 20_000
"""Sentences logged with consent that a run may replay, the newest."""


class Trained(Protocol):
    """What the trainer made; `training.retrain.Outcome`."""

    @property
    def passed(self) -> bool: ...
    @property
    def candidate(self) -> Path | None: ...
    @property
    def report(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Given:
    """What the trainer is given."""

    parent: Path
    corrections: Path
    sha256: str
    out: Path
    version: str
    work: Path
    consented: Path
    read_at: str
    """When the corrections were read, ISO 8601."""


Train = Callable[[Given], Trained]


@dataclass(frozen=True)
class Result:
    """What came of a run."""

    run_id: uuid.UUID
    state: str
    candidate: str
    corrections: int
    report: dict[str, Any]


class NothingToDo(AppError):
    """There is no approved correction that the current version has not learnt."""


class AlreadyRunning(Conflict):
    """Another retraining runs on this data directory."""


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Hold the lock of retraining; the system lets it go when a process dies, however it dies.

    Raises:
        AlreadyRunning: another process holds it.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with (settings.data_dir / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning("another retraining runs already; only one may at a time") from None
        yield


def retrain_pair(settings: Settings, pair: str, train: Train, *, dry_run: bool = False) -> Result:
    """Retrain `pair` from its current version and promote the candidate if it passes the gate.

    Args:
        train: makes and judges the candidate.
        dry_run: do not promote; the candidate stays as a version that can be promoted by hand.

    Raises:
        AlreadyRunning, NothingToDo, DatabaseDown: see there.
        ModelError: the trainer or the promotion failed; the run is recorded as failed.
    """
    with only_one(settings):
        work_root = settings.data_dir / "retraining"
        shutil.rmtree(work_root, ignore_errors=True)  # of a run that was killed: nobody else can be running
        work_root.mkdir(parents=True)
        with tempfile.TemporaryDirectory(dir=work_root) as work:
            return _Run(settings, pair, train, dry_run, Path(work)).go()


class _Run:
    """The trainer runs in the main thread, so that Ctrl-C stops it at once; the database is opened before and after."""

    def __init__(self, settings: Settings, pair: str, train: Train, dry_run: bool, work: Path) -> None:
        self.settings, self.pair, self.train, self.dry_run, self.work = settings, pair, train, dry_run, work
        self.roots = model_roots(settings)
        self.parent = current_version(settings, pair) or DEFAULT
        self.version = _name(settings, pair)
        self.id = uuid.uuid4()

    def go(self) -> Result:
        given, count = asyncio.run(self._opened(self._start))
        try:
            outcome = self.train(given)
            state = self._decide(outcome)
        except BaseException as error:
            state = INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED
            why = told(error) if isinstance(error, Exception) else ""
            asyncio.run(self._opened(lambda database: self._end(database, state, None, why)))
            raise
        asyncio.run(self._opened(lambda database: self._finish(database, state, outcome)))
        return Result(self.id, state, self.version, count, outcome.report)

    async def _opened(self, work: Callable[[Database], Awaitable[T]]) -> T:
        database = Database(self.settings.database)
        try:
            return await work(database)
        finally:
            await database.close()

    async def _start(self, database: Database) -> tuple[Given, int]:
        await reconcile(database, self.settings)
        await self._close_dead_runs(database)
        moment = now().isoformat()
        rows = await self._new_corrections(database)
        if not rows:
            raise NothingToDo(f"{self.pair}/{self.parent} has learnt all approved corrections")
        given = self._write(rows, await self._consented(database), moment)
        run = RetrainingRun(
            id=self.id, pair=self.pair, parent=self.parent, candidate=self.version, corrections=len(rows)
        )
        async with database.writing() as session:
            session.add(run)
        return given, len(rows)

    def _decide(self, outcome: Trained) -> str:
        """Move the candidate to the versions if it passed, and promote it."""
        if not outcome.passed or outcome.candidate is None:
            return RUN_REJECTED
        folder = self.roots[0] / self.pair / self.version
        folder.parent.mkdir(parents=True, exist_ok=True)
        outcome.candidate.rename(folder)
        if self.dry_run:
            return KEPT
        promote(self.settings, self.pair, self.version, expected=self.parent)
        return PROMOTED

    async def _finish(self, database: Database, state: str, outcome: Trained) -> None:
        await reconcile(database, self.settings)
        if state == RUN_REJECTED:
            row = ModelVersion(pair=self.pair, version=self.version, parent=self.parent, status=REFUSED)
            async with database.writing() as session:
                await session.merge(row)
        await self._end(database, state, outcome.report, "\n".join(outcome.report.get("reasons", [])))

    async def _close_dead_runs(self, database: Database) -> None:
        """Runs that a crash left as running: who holds the lock knows that they are dead."""
        async with database.writing() as session:
            dead = update(RetrainingRun).where(RetrainingRun.state == RUNNING)
            await session.execute(dead.values(state=INTERRUPTED, finished_at=now()))

    async def _new_corrections(self, database: Database) -> list[Correction]:
        """Approved and not in the ancestry of the current version, oldest first."""
        learnt = ancestry(self.roots, self.pair, self.parent)
        wanted = select(Correction).where(Correction.pair == self.pair, Correction.status == APPROVED)
        async with database.reading() as session:
            rows = (await session.scalars(wanted.order_by(Correction.created_at, Correction.id))).all()
        return [row for row in rows if not is_learnt(row, learnt)]

    def _write(self, rows: list[Correction], consented: list[dict[str, str]], moment: str) -> Given:
        lines = [
            {"id": str(row.id), "source_text": row.source_text, "corrected_translation": row.corrected_translation}
            for row in rows
        ]
        text, path, logged = _jsonl(lines), self.work / "corrections.jsonl", self.work / "consented.jsonl"
        path.write_bytes(text)
        logged.write_bytes(_jsonl(consented))
        parent = store.find(self.roots, self.pair, self.parent)
        digest = hashlib.sha256(text).hexdigest()
        return Given(parent, path, digest, self.work / "models", self.version, self.work, logged, moment)

    async def _consented(self, database: Database) -> list[dict[str, str]]:
        source, _, target = self.pair.partition("-")
        wanted = select(LoggedTranslation.source_text, LoggedTranslation.translation).where(
            LoggedTranslation.source == source, LoggedTranslation.target == target
        )
        async with database.reading() as session:
            rows = await session.execute(wanted.order_by(LoggedTranslation.created_at.desc()).limit(MOST_LOGGED))
            return [{"source_text": text, "translation": translation} for text, translation in rows]

    async def _end(self, database: Database, state: str, report: dict[str, Any] | None, text: str) -> None:
        async with database.writing() as session:
            run = await session.get(RetrainingRun, self.id)
            if run is not None:
                run.state, run.report, run.log, run.finished_at = state, report, text, now()


def _jsonl(rows: Iterable[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _name(settings: Settings, pair: str) -> str:
    """A new version name: the day, and a number that is free."""
    day = now().strftime("%Y%m%d")
    taken = {info.version for info in store.list_versions(model_roots(settings), pair)}
    return next(name for number in range(1, 10_000) if (name := f"corrected-{day}-{number}") not in taken)

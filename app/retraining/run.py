"""One retraining: corrections out of the database, the trainer, the gate, records, and the promotion.

The trainer is handed in: this package never imports it, and a server starts a process of its own for a run. The two
meet in a folder, which holds users' texts while a run goes on and is gone after it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import shutil
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select

from app.corrections.retention import forget_deleted
from app.errors import AppError, DatabaseDown, StoreDown, told
from app.retraining import progress
from app.retraining.leftovers import close_dead_runs, only_one, settle, work_root
from app.settings import Settings
from app.storage.db import Database
from app.storage.locks import Lock, lock
from app.storage.tables import (
    APPROVED,
    FAILED,
    KEPT,
    PROMOTED,
    REFUSED,
    RUN_REJECTED,
    Correction,
    LoggedTranslation,
    ModelVersion,
    RetrainingRun,
    now,
)
from app.versions.promotion import promote
from app.versions.registry import ancestry, is_learnt, reconcile
from app.versions.shared_store import SharedStore
from app.versions.store import current_version, model_roots
from model.errors import ModelError
from model.versions import store
from model.versions.pointers import DEFAULT

log = logging.getLogger("traghetto.retraining")

T = TypeVar("T")

MOST_LOGGED = 20_000
"""Sentences logged with consent that a run may replay, the newest."""


Report = dict[str, Any]
"""The gate's report, `docs/corrections.md` describes it; here, `passed` and `reasons` are read."""
Train = Callable[[Path], Report]
"""Given a folder with a job, as `training.adapting.job` describes it: makes a candidate in it, and judges it."""


class NothingToDo(AppError):
    """There is no approved correction that the current version has not learnt."""


def retrain_pair(
    settings: Settings, pair: str, train: Train, *, dry_run: bool = False, id: uuid.UUID | None = None
) -> RetrainingRun:
    """Retrain `pair` from its current version and promote the candidate if it passes the gate.

    Args:
        train: makes and judges the candidate.
        dry_run: do not promote; the candidate stays as a version that can be promoted by hand.
        id: of the run, where others know it already; see `app.retraining.progress`.

    Raises:
        AlreadyRunning, NothingToDo, DatabaseDown, StoreDown: see there.
        ModelError: the trainer or the promotion failed; the run is recorded as failed.
    """
    with only_one(settings):
        shared = SharedStore.of(settings)
        if shared is not None:
            shared.catch_up(pair)
        root = work_root(settings)
        shutil.rmtree(root, ignore_errors=True)  # of a run that was killed: nobody else can be running
        root.mkdir(parents=True)
        with tempfile.TemporaryDirectory(dir=root) as work:
            version = _name(settings, pair, shared.versions.names(pair) if shared is not None else ())
            run = RetrainingRun(id=id or uuid.uuid4(), pair=pair, candidate=version)
            return _Run(settings, run, train, dry_run, Path(work)).go()


class _Run:
    """The trainer runs in the main thread, so that Ctrl-C stops it at once; the database is opened before and after."""

    def __init__(self, settings: Settings, record: RetrainingRun, train: Train, dry_run: bool, work: Path) -> None:
        self.settings, self.train, self.dry_run, self.work = settings, train, dry_run, work
        self.pair, self.version = record.pair, record.candidate
        self.roots = model_roots(settings)
        self.parent = record.parent = current_version(settings, self.pair) or DEFAULT
        self._given: list[uuid.UUID] = []
        """The corrections that the trainer was given, whose texts the report may hold."""
        self.record = record

    def go(self) -> RetrainingRun:
        report: Report | None = None
        try:
            asyncio.run(self._opened(self._start))
            self._tell_begun()
            report = self.train(self.work)
            state = self._decide(report)
            asyncio.run(self._opened(lambda database: self._finish(database, state, report or {})))
        except (NothingToDo, DatabaseDown):
            raise
        except BaseException as error:
            stopped, why = isinstance(error, KeyboardInterrupt), told(error) if isinstance(error, Exception) else ""
            if stopped:
                self._look_at_store()
            state = settle(self.settings, self.pair, self.version) if stopped else FAILED
            asyncio.run(self._opened(lambda database: self._end(database, state, report, why)))
            raise
        return self.record

    def _look_at_store(self) -> None:
        """A promotion that was broken off may have moved the pointer for all."""
        shared = SharedStore.of(self.settings)
        if shared is not None:
            try:
                shared.follow(self.pair)
            except (StoreDown, ModelError) as error:
                log.warning("%s: whether it was promoted is not known: %s", self.version, error)

    def _tell_begun(self) -> None:
        progress.forget_old(self.settings)
        run = self.record
        facts = {"pair": run.pair, "parent": run.parent, "candidate": run.candidate, "corrections": run.corrections}
        progress.tell(self.settings, run.id, progress.BEGUN, **facts)

    async def _opened(self, work: Callable[[Database], Awaitable[T]]) -> T:
        database = Database(self.settings.database)
        try:
            return await work(database)
        finally:
            await database.close()

    async def _start(self, database: Database) -> None:
        await reconcile(database, self.settings)
        await close_dead_runs(database, self.settings)
        moment = now().isoformat()
        rows = await self._new_corrections(database)
        if not rows:
            raise NothingToDo(f"{self.pair}/{self.parent} has learnt all approved corrections")
        self._write(rows, await self._consented(database), moment)
        self._given = [row.id for row in rows]
        self.record.corrections = len(rows)
        async with database.writing() as session:
            session.add(self.record)

    def _decide(self, report: Report) -> str:
        """Move the candidate to the versions if it passed, and promote it."""
        if not report["passed"]:
            return RUN_REJECTED
        folder = self.roots[0] / self.pair / self.version
        folder.parent.mkdir(parents=True, exist_ok=True)
        (self.work / "models" / self.pair / self.version).rename(folder)
        if self.dry_run:
            return KEPT
        promote(self.settings, self.pair, self.version, expected=self.parent)
        return PROMOTED

    async def _finish(self, database: Database, state: str, report: Report) -> None:
        await reconcile(database, self.settings)
        if state == RUN_REJECTED:
            row = ModelVersion(pair=self.pair, version=self.version, parent=self.parent, status=REFUSED)
            async with database.writing() as session:
                await session.merge(row)
        await self._end(database, state, report, "\n".join(report["reasons"]))

    async def _new_corrections(self, database: Database) -> list[Correction]:
        """Approved and not in the ancestry of the current version, oldest first."""
        learnt = ancestry(self.roots, self.pair, self.parent)
        wanted = select(Correction).where(Correction.pair == self.pair, Correction.status == APPROVED)
        async with database.reading() as session:
            rows = (await session.scalars(wanted.order_by(Correction.created_at, Correction.id))).all()
        return [row for row in rows if not is_learnt(row, learnt)]

    def _write(self, rows: list[Correction], consented: list[dict[str, str]], moment: str) -> None:
        """What the trainer reads: `training.adapting.job`."""
        lines = [
            {"id": str(row.id), "source_text": row.source_text, "corrected_translation": row.corrected_translation}
            for row in rows
        ]
        text = _jsonl(lines)
        job = {
            "pair": self.pair, "parent": self.parent, "version": self.version, "roots": [*map(str, self.roots)],
            "sha256": hashlib.sha256(text).hexdigest(), "read_at": moment,
            "progress": str(progress.progress_file(self.settings, self.record.id)),
        }  # fmt: skip
        (self.work / "corrections.jsonl").write_bytes(text)
        (self.work / "consented.jsonl").write_bytes(_jsonl(consented))
        (self.work / "job.json").write_text(json.dumps(job), encoding="utf-8")

    async def _consented(self, database: Database) -> list[dict[str, str]]:
        source, _, target = self.pair.partition("-")
        wanted = select(LoggedTranslation.source_text, LoggedTranslation.translation).where(
            LoggedTranslation.source == source, LoggedTranslation.target == target
        )
        async with database.reading() as session:
            rows = await session.execute(wanted.order_by(LoggedTranslation.created_at.desc()).limit(MOST_LOGGED))
            return [{"source_text": text, "translation": translation} for text, translation in rows]

    async def _end(self, database: Database, state: str, report: Report | None, text: str) -> None:
        run = self.record
        run.state, run.log, run.finished_at = state, text, now()
        async with database.writing() as session:
            await lock(session, Lock.DECISIONS)
            run.report = await forget_deleted(session, report, self._given)  # some may be gone since the start
            await session.merge(run)
        progress.tell(self.settings, run.id, progress.ENDED)


def _jsonl(rows: Iterable[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _name(settings: Settings, pair: str, in_store: Iterable[str]) -> str:
    """A new version name: the day, and a number that is free."""
    day = now().strftime("%Y%m%d")
    taken = {info.version for info in store.list_versions(model_roots(settings), pair)}.union(in_store)
    return next(name for number in range(1, 10_000) if (name := f"corrected-{day}-{number}") not in taken)

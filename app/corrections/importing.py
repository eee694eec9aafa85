"""Takes the corrections of a file into the database, a few hundred at a time."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice

from sqlalchemy import select

from app.access.client import Client
from app.corrections.checks import MARK_CODES, SHOWN, Limits, Rival, check, compare
from app.corrections.records import Entry, Record
from app.corrections.reopening import Key
from app.corrections.review import Counter, Review, Reviewing, no_memory, uncounted
from app.corrections.values import row_of
from app.errors import DatabaseDown
from app.memory.store import source_key
from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import APPROVED, PENDING, REJECTED, SUPERSEDED, Correction, now, text_key
from app.translating.detection import Detect

CHUNK_ROWS = 500
REVIEWER = "import"
"""Of what is approved as it is imported; `confirmed_by` tells who wanted that."""
MAX_PROBLEMS = 1000
"""That are told one by one; all are counted."""
Content = tuple[str, str, str]
"""Pair, source key and text key: equal for corrections that say the same."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something in the file was refused, or what was chosen in it."""

    line: int
    reason: str


@dataclass(slots=True)
class ImportReport:
    """What became of a file."""

    imported: int = 0
    """Stored; `approved` of them at once."""
    approved: int = 0
    skipped: int = 0
    """They were there already."""
    refused: int = 0
    problems: list[Problem] = field(default_factory=list)
    """The first `MAX_PROBLEMS` of what was refused."""
    notes: list[Problem] = field(default_factory=list)
    """As many of what was chosen in reading, and is not plain."""

    def refuse(self, line: int, reason: str) -> None:
        """Count one, and remember why."""
        self.refused += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(line, reason))

    @property
    def seen(self) -> int:
        """All lines or units so far."""
        return self.imported + self.skipped + self.refused


OnChunk = Callable[[ImportReport], None]


class ImportInterrupted(DatabaseDown):
    """The database does not answer, or not any more; the chunks before are stored."""

    def __init__(self, report: ImportReport) -> None:
        super().__init__()
        done = f"{report.imported} corrections were imported; import the same file again for the others."
        self.args = (f"The database does not answer. {done if report.imported else 'Nothing was stored.'}",)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A correction that has passed the checks."""

    record: Record
    content: Content
    marks: list[str]


class Importer:
    """Imports files; one object a process."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        detect: Detect,
        on_change: Callable[[], Awaitable[None]] = no_memory,
        count: Counter = uncounted,
    ) -> None:
        """`on_change` and `count` as for `app.corrections.service.Corrections`."""
        self._detect = detect
        self._limits = Limits(settings.max_chars)
        self._reviewing = Reviewing(database, settings.corrections_confirmations, on_change, count)

    async def check(
        self, entries: Iterator[Entry], *, approve: bool = False, on_chunk: OnChunk | None = None
    ) -> ImportReport:
        """What `run` would refuse; nothing is stored. `approve` and `on_chunk` as there."""
        report = ImportReport()
        async for _ in self._checked(entries, approve, report):
            if on_chunk is not None:
                on_chunk(report)
        return report

    async def run(
        self,
        entries: Iterator[Entry],
        client: Client,
        *,
        approve: bool = False,
        on_chunk: OnChunk | None = None,
    ) -> ImportReport:
        """Store what is not there yet. Every chunk of `CHUNK_ROWS` is one transaction; a file that was interrupted is
        simply imported again.

        Args:
            approve: approve each as `client`; what the file calls rejected or superseded is refused then. Otherwise
                all are pending, whatever the file says.
            on_chunk: called after each chunk

        Raises:
            ImportInterrupted: the database does not answer, or not any more.
        """
        report = ImportReport()
        async for candidates in self._checked(entries, approve, report):
            try:
                chunk = await self._store(candidates, client, approve) if candidates else None
            except DatabaseDown as error:
                raise ImportInterrupted(report) from error
            if chunk is not None:
                report.imported += chunk.imported
                report.approved += chunk.approved
                report.skipped += len(candidates) - chunk.imported
            if on_chunk is not None:
                on_chunk(report)
        return report

    async def _store(self, candidates: Sequence[_Candidate], client: Client, approve: bool) -> _Chunk:
        async with self._reviewing.begin() as review:
            chunk = _Chunk(review, client, approve)
            await chunk.store(candidates)
        return chunk

    async def _checked(
        self, entries: Iterator[Entry], approve: bool, report: ImportReport
    ) -> AsyncIterator[list[_Candidate]]:
        """What passes the checks, chunk by chunk; the rest is put into `report`. Reads in a thread of its own."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "traghetto-import") as thread:
            while chunk := await loop.run_in_executor(thread, lambda: list(islice(entries, CHUNK_ROWS))):
                yield await loop.run_in_executor(thread, self._judge, chunk, approve, report)

    def _judge(self, chunk: Iterable[Entry], approve: bool, report: ImportReport) -> list[_Candidate]:
        passed: list[_Candidate] = []
        for entry in chunk:
            if entry.note and len(report.notes) < MAX_PROBLEMS:
                report.notes.append(Problem(entry.line, entry.note))
            if entry.record is None:
                report.refuse(entry.line, entry.problem)
            elif approve and entry.record.status in (REJECTED, SUPERSEDED):
                report.refuse(
                    entry.line, f"is {entry.record.status} in the file; only without approving is it imported"
                )
            else:
                passed += self._candidate(entry.line, entry.record, report)
        return passed

    def _candidate(self, line: int, record: Record, report: ImportReport) -> Iterator[_Candidate]:
        verdict = check(record.draft, self._detect, self._limits)
        if verdict.errors:
            report.refuse(line, "; ".join(f"{error.field}: {error.message}" for error in verdict.errors))
            return
        known = [mark for mark in record.marks if mark.partition(":")[0] in MARK_CODES]
        content = record.pair, source_key(record.source_text), text_key(record.corrected_translation)
        yield _Candidate(record, content, list(dict.fromkeys([*known, *verdict.marks])))


class _Chunk:
    """One transaction of an import. Of the corrections that are stored it knows only what they say."""

    def __init__(self, review: Review, client: Client, approve: bool) -> None:
        self._session = review.session
        self._review = review
        self._client = client
        self._approve = approve
        self._ids: set[uuid.UUID] = set()
        self._said: set[Content] = set()
        self._was_approved: set[Content] = set()
        self._approved: dict[Key, Rival] = {}
        self._pending: dict[Content, list[Rival]] = {}
        self.imported = 0
        self.approved = 0

    async def store(self, candidates: Sequence[_Candidate]) -> None:
        """Insert those that are not there, and approve them if asked to."""
        await self._read_stored(candidates)
        for candidate in candidates:
            if not self._is_there(candidate):
                self._insert(candidate)

    async def _read_stored(self, candidates: Sequence[_Candidate]) -> None:
        ids = [candidate.record.id for candidate in candidates if candidate.record.id is not None]
        self._ids.update(await self._session.scalars(select(Correction.id).where(Correction.id.in_(ids))))
        keys: dict[str, set[str]] = {}
        for pair, key, _ in (candidate.content for candidate in candidates):
            keys.setdefault(pair, set()).add(key)
        columns = (Correction.id, Correction.status, Correction.pair, Correction.source_key, Correction.text_key)
        for pair, of_pair in keys.items():
            same = select(*columns).where(Correction.pair == pair, Correction.source_key.in_(of_pair))
            for id, status, *content in await self._session.execute(
                same.order_by(Correction.created_at, Correction.id)
            ):
                self._note(id, status, (content[0], content[1], content[2]))

    def _note(self, id: uuid.UUID, status: str, content: Content) -> None:
        self._ids.add(id)
        self._said.add(content)
        if status == APPROVED:
            self._was_approved.add(content)
            self._approved[content[:2]] = Rival(id, True, content[2])
            self._pending.pop(content, None)  # they are superseded
        elif status == PENDING:
            self._pending.setdefault(content, []).append(Rival(id, False, content[2]))

    def _is_there(self, candidate: _Candidate) -> bool:
        if candidate.record.id is None:
            return candidate.content in self._said
        return candidate.record.id in self._ids or candidate.content in self._was_approved

    def _rivals(self, content: Content) -> list[Rival]:
        approved = self._approved.get(content[:2])
        return ([] if approved is None else [approved]) + self._pending.get(content, [])[:SHOWN]

    def _insert(self, candidate: _Candidate) -> None:
        record, content, moment = candidate.record, candidate.content, now()
        row = row_of(record.draft, replace(self._client, session=None))  # the owner brings what others wrote
        row.id = record.id or row.id
        row.created_at, row.changed_at = _past(record.created_at, moment), moment
        row.marks = list(dict.fromkeys([*candidate.marks, *compare(content[2], self._rivals(content))]))
        self._session.add(row)
        if self._approve:
            self._review.approve(row, self._client)
        if row.status == APPROVED:
            row.reviewer = REVIEWER
        self._keep_moments(row, record, moment)
        self._note(row.id, row.status, content)
        self.imported += 1
        self.approved += row.status == APPROVED

    def _keep_moments(self, row: Correction, record: Record, moment: dt.datetime) -> None:
        """A correction that stays what the file says it is was not changed by moving house."""
        if row.status != record.status:
            return
        row.changed_at = _past(record.changed_at, row.changed_at)
        if row.status == APPROVED:
            row.reviewed_at = _past(record.reviewed_at, moment)


def _past(stated: dt.datetime | None, moment: dt.datetime) -> dt.datetime:
    """A moment that a file states, if it can be true; else `moment`."""
    return min(stated or moment, moment)

"""Decisions about corrections, within one transaction.

Of the corrections of one sentence (equal pair and `source_key`) at most one is approved: the one approved last. That
holds because decisions are taken one after the other, each transaction with `Lock.DECISIONS`.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.access import Client
from app.corrections.checks import same_text
from app.corrections.states import SAME_AS, SUPERSEDED_BY
from app.memory.changes import touch
from app.storage.db import Database
from app.storage.locks import Lock, lock
from app.storage.tables import APPROVED, PENDING, REJECTED, SUPERSEDED, Correction, TrainedCorrection, now

Key = tuple[str, str]
"""Pair and source key of a sentence."""


def is_author(row: Correction, client: Client) -> bool:
    """Whether `client` made `row`: with the same key, or from the same session."""
    if client.key_id is not None:
        return row.author_key_id == client.key_id
    return client.session is not None and row.author_session == client.session


class Review:
    """The decisions of one transaction with `Lock.DECISIONS`. Collects what must be told when it is committed."""

    def __init__(self, session: AsyncSession, confirmations: int) -> None:
        """`confirmations`: how many people must approve."""
        self.session = session
        self.touched: set[Key] = set()
        """For `changes.touch`: memory answers these differently."""
        self.outcomes: list[tuple[str, str]] = []
        """Pair and `approved` or `rejected`, for the metrics."""
        self._needed = confirmations
        self._rivals: dict[Key, list[Correction]] = {}

    async def find(self, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Correction]:
        """The corrections with these ids that there are, ready to be decided about."""
        rows = (await self.session.scalars(select(Correction).where(Correction.id.in_(set(ids))))).all()
        await self.find_rivals({(row.pair, row.source_key) for row in rows})
        return {row.id: row for row in rows}

    async def find_rivals(self, keys: Iterable[Key], limit: int | None = None) -> None:
        """Read the approved and pending corrections of these sentences, `limit` in all, approved ones first."""
        wanted = set(keys)
        competing = select(Correction).where(
            Correction.pair.in_({pair for pair, _ in wanted}),  # for the index, which begins with it
            Correction.source_key.in_({key for _, key in wanted}),
            Correction.status.in_((APPROVED, PENDING)),
        )
        ordered = competing.order_by(Correction.status, Correction.created_at, Correction.id).limit(limit)
        for row in await self.session.scalars(ordered):
            if (row.pair, row.source_key) in wanted:
                self.add(row)

    def add(self, row: Correction) -> None:
        """Let `row` take part in what is decided about its sentence."""
        rivals = self._rivals.setdefault((row.pair, row.source_key), [])
        if row not in rivals:
            rivals.append(row)

    def rivals(self, row: Correction, status: str) -> list[Correction]:
        """The other corrections of the same sentence with that status."""
        others = self._rivals.get((row.pair, row.source_key), [])
        return [other for other in others if other.id != row.id and other.status == status]

    def approve(self, row: Correction, client: Client, *, trusted: bool = False) -> str | None:
        """Approve `row`, or confirm it where more people are needed; says what is against it, None if nothing is.

        `trusted`: the client may confirm its own correction.
        """
        if row.status == APPROVED:
            return None
        if self._needed > 1 and not trusted and is_author(row, client):
            return "A second person must confirm it: its author does not count."
        if client.name not in row.confirmed_by:
            row.confirmed_by = [*row.confirmed_by, client.name]
        if len(row.confirmed_by) >= self._needed:
            self._approved(row, client)
        elif row.status != PENDING:
            self._change(row, PENDING, None)
        return None

    def _approved(self, row: Correction, client: Client) -> None:
        self._change(row, APPROVED, None)
        row.reviewer, row.reviewed_at = client.name, row.changed_at
        self.outcomes.append((row.pair, APPROVED))
        self.win(row)

    def win(self, row: Correction) -> None:
        """Let `row`, which is approved, supersede the others of its sentence."""
        self.touched.add((row.pair, row.source_key))
        for other in self.rivals(row, APPROVED):
            self._change(other, SUPERSEDED, f"{SUPERSEDED_BY}{row.id}")
        for other in self.rivals(row, PENDING):
            if same_text(other.corrected_translation, row.corrected_translation):
                self._change(other, SUPERSEDED, f"{SAME_AS}{row.id}")
        self.add(row)

    def reject(self, row: Correction, client: Client, reason: str) -> None:
        """Reject `row`, whatever it was. Memory forgets it, and answers with no other instead."""
        if row.status == APPROVED:
            self.touched.add((row.pair, row.source_key))
        if row.status != REJECTED:
            self.outcomes.append((row.pair, REJECTED))
        self._change(row, REJECTED, reason)
        row.reviewer, row.reviewed_at = client.name, row.changed_at

    async def edit(self, row: Correction, corrected: str, marks: Sequence[str], client: Client) -> None:
        """Give `row`, which is pending or approved, another text. It counts as untrained and unconfirmed again."""
        row.marks = list(marks)
        if row.corrected_translation == corrected:
            return
        row.corrected_translation, row.changed_at = corrected, now()
        await self.session.execute(delete(TrainedCorrection).where(TrainedCorrection.correction_id == row.id))
        if row.status == APPROVED:
            row.confirmed_by, row.reviewer, row.reviewed_at = [client.name], client.name, row.changed_at
            self.win(row)
        else:
            row.confirmed_by = []

    async def remove(self, row: Correction) -> None:
        """Delete `row`."""
        if row.status == APPROVED:
            self.touched.add((row.pair, row.source_key))
        await self.session.delete(row)

    def _change(self, row: Correction, status: str, reason: str | None) -> None:
        row.status, row.reason, row.changed_at = status, reason, now()
        if status in (REJECTED, SUPERSEDED):
            row.confirmed_by = []


Counter = Callable[[str, str], None]
"""Pair and outcome (`submitted`, `refused`, `approved`, `rejected`) to a metric."""


async def no_memory() -> None:
    """For who has no memory to refresh."""


def uncounted(_pair: str, _outcome: str) -> None:
    """For who has no metrics."""


@dataclass(frozen=True, slots=True)
class Reviewing:
    """Transactions of decisions; memory and metrics are told once they are committed."""

    database: Database
    confirmations: int
    """How many people must approve."""
    on_change: Callable[[], Awaitable[None]] = no_memory
    """Awaited after each commit that changes what memory answers."""
    count: Counter = uncounted

    @contextlib.asynccontextmanager
    async def begin(self, *, locked: bool = True) -> AsyncIterator[Review]:
        """One transaction.

        Raises:
            DatabaseDown: as `Database.writing`.
        """
        async with self.database.writing() as session:
            if locked:
                await lock(session, Lock.DECISIONS)
            review = Review(session, self.confirmations)
            yield review
            await session.flush()
            await touch(session, review.touched)
        for outcome in review.outcomes:
            self.count(*outcome)
        if review.touched:
            await self.on_change()

"""Decisions about corrections, within one transaction.

Of the corrections of one sentence (equal pair and `source_key`) at most one is approved: the one approved last. That
holds because decisions are taken one after the other, each transaction with `Lock.DECISIONS`.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import Text, Update, and_, bindparam, case, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.client import OWNER_NAMES, Client
from app.corrections.checks import SHOWN, Rival
from app.corrections.reopening import CORRECTIONS, Key, restore
from app.corrections.states import SAME_AS, SUPERSEDED_BY
from app.corrections.values import OWNER
from app.memory.changes import touch
from app.storage.db import Database
from app.storage.locks import Lock, lock
from app.storage.tables import APPROVED, PENDING, REJECTED, SUPERSEDED, Correction, TrainedCorrection, now

REOPENED = "reopened"
"""Of an outcome; it is no status."""


def is_author(row: Correction, client: Client) -> bool:
    """Whether `client` made `row`: with the same key, from the same session, or as who runs the server."""
    if client.key_id is not None:
        return row.author_key_id == client.key_id
    if client.is_owner and row.author_session == OWNER:
        return True
    return client.session is not None and row.author_session == client.session


class Review:
    """The decisions of one transaction with `Lock.DECISIONS`. Collects what must be told when it is committed.

    Rivals of what is approved are not read: there may be thousands. `settle` supersedes them where they are.
    """

    def __init__(self, session: AsyncSession, confirmations: int) -> None:
        """`confirmations`: how many people must approve."""
        self.session = session
        self.touched: set[Key] = set()
        """For `changes.touch`: memory answers these differently."""
        self.outcomes: list[tuple[str, str]] = []
        """Pair and `approved`, `rejected` or `reopened`, for the metrics."""
        self._needed = confirmations
        self._winners: dict[Key, Correction] = {}
        self._reopened: list[Correction] = []

    async def find(self, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Correction]:
        """The corrections with these ids that there are, as the database has them now."""
        wanted = select(Correction).where(Correction.id.in_(set(ids)))
        rows = await self.session.scalars(wanted.execution_options(populate_existing=True))
        return {row.id: row for row in rows}

    async def rivals(self, row: Correction) -> list[Rival]:
        """Of the other corrections of its sentence the approved one and those pending that say the same; the first
        `SHOWN` of them."""
        same = and_(Correction.status == PENDING, Correction.text_key == row.text_key)
        wanted = (
            select(Correction.id, Correction.status, Correction.text_key)
            .where(Correction.pair == row.pair, Correction.source_key == row.source_key, Correction.id != row.id)
            .where(Correction.status.in_((APPROVED, PENDING)), or_(Correction.status == APPROVED, same))
            .order_by(Correction.status, Correction.created_at, Correction.id)
            .limit(SHOWN)
        )
        with self.session.no_autoflush:  # `row` may be half made
            found = await self.session.execute(wanted)
        return [Rival(id, status == APPROVED, key) for id, status, key in found]

    def approve(self, row: Correction, client: Client, *, trusted: bool = False) -> str | None:
        """Approve `row`, or confirm it where more people are needed; says what is against it, None if nothing is.

        `trusted`: the client may confirm its own correction.
        """
        if row.status == APPROVED:
            return None
        if not (trusted or self._counts(row, client)):
            return "A second person must confirm it: its author does not count."
        if self._confirm(row, client):
            self.outcomes.append((row.pair, APPROVED))
        return None

    def _counts(self, row: Correction, client: Client) -> bool:
        """Whether `client` may be one of those who confirm `row`."""
        return self._needed == 1 or not is_author(row, client)

    def _confirm(self, row: Correction, client: Client) -> bool:
        """Count the approval of `client`; says whether `row` is approved now."""
        if row.status == SUPERSEDED:  # who approved it then did not choose between it and what answers now
            row.confirmed_by = []
        names = OWNER_NAMES if client.is_owner else (client.name,)
        if not set(names).intersection(row.confirmed_by):
            row.confirmed_by = [*row.confirmed_by, client.name]
        if len(row.confirmed_by) >= self._needed:
            self._change(row, APPROVED, None)
            row.reviewer, row.reviewed_at = client.name, row.changed_at
            self._win(row)
        elif row.status != PENDING:
            self._let_wait(row)
        return row.status == APPROVED

    def _win(self, row: Correction) -> None:
        """Let `row`, which is approved, supersede the others of its sentence."""
        key = (row.pair, row.source_key)
        self.touched.add(key)
        beaten = self._winners.get(key)
        if beaten is not None and beaten is not row and beaten.status == APPROVED:
            self._change(beaten, SUPERSEDED, f"{SUPERSEDED_BY}{row.id}")
        self._winners[key] = row

    async def settle(self) -> None:
        """Write what was decided. What it supersedes changes in the database only: `find` it again to see it."""
        await self.session.flush()
        if reopened := self._reopened:
            self._reopened = []
            self.touched |= await restore(self.session, reopened, self._needed)
        winners = [row for row in self._winners.values() if row.status == APPROVED]
        self._winners.clear()
        if winners:
            values = [
                {
                    "of_pair": row.pair, "of_sentence": row.source_key, "winner": row.id, "says": row.text_key,
                    "beaten": f"{SUPERSEDED_BY}{row.id}", "same": f"{SAME_AS}{row.id}", "moment": now(),
                }
                for row in winners
            ]  # fmt: skip
            await (await self.session.connection()).execute(_superseding(), values)

    def reject(self, row: Correction, client: Client, reason: str) -> None:
        """Reject `row`, whatever it was. Memory forgets it, and answers with no other instead."""
        self._forget(row)
        if row.status != REJECTED:
            self.outcomes.append((row.pair, REJECTED))
        self._change(row, REJECTED, reason)
        row.reviewer, row.reviewed_at = client.name, row.changed_at

    def reopen(self, row: Correction) -> None:
        """Take back what was decided about `row`, and who has confirmed it: it waits again. `settle` takes back what
        its approval has done to others."""
        self._forget(row)
        if row.status != PENDING:
            self.outcomes.append((row.pair, REOPENED))
        if row.status != PENDING or row.confirmed_by:
            self._let_wait(row)
            row.confirmed_by = []
        self._reopened.append(row)

    async def edit(self, row: Correction, corrected: str, client: Client) -> None:
        """Give `row`, which is pending or approved, another text. It counts as untrained and unconfirmed again: an
        approved one as approved by `client`, which is enough only where one person is."""
        if row.corrected_translation == corrected:
            return
        row.corrected_translation, row.changed_at = corrected, now()
        await self.session.execute(delete(TrainedCorrection).where(TrainedCorrection.correction_id == row.id))
        was_approved, row.confirmed_by = row.status == APPROVED, []
        if was_approved:
            self._forget(row)
            self._let_wait(row)
            if self._counts(row, client):
                self._confirm(row, client)

    async def remove(self, row: Correction) -> None:
        """Delete `row`."""
        self._forget(row)
        await self.session.delete(row)

    def _forget(self, row: Correction) -> None:
        """Memory must not answer with `row` any more."""
        if row.status == APPROVED:
            self.touched.add((row.pair, row.source_key))

    def _let_wait(self, row: Correction) -> None:
        """Let `row` wait again: nobody has decided about it."""
        self._change(row, PENDING, None)
        row.reviewer = row.reviewed_at = None

    def _change(self, row: Correction, status: str, reason: str | None) -> None:
        row.status, row.reason, row.changed_at = status, reason, now()
        if status == REJECTED:
            row.confirmed_by = []


def _superseding() -> Update:
    """Of the sentence of an approved correction, the one approved before and those pending that say the same."""
    row = CORRECTIONS.c
    was_approved = row.status == APPROVED
    says_the_same = and_(row.status == PENDING, row.text_key == bindparam("says"))
    reason = case((was_approved, bindparam("beaten", type_=Text)), else_=bindparam("same", type_=Text))
    return (
        CORRECTIONS.update()
        .where(row.pair == bindparam("of_pair"), row.source_key == bindparam("of_sentence"))
        .where(or_(was_approved, says_the_same), row.id != bindparam("winner"))
        .values(status=SUPERSEDED, reason=reason, changed_at=bindparam("moment"))
    )


Counter = Callable[[str, str], None]
"""Pair and outcome (`submitted`, `refused`, `approved`, `rejected`, `reopened`) to a metric."""


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
    async def begin(self, *locks: Lock) -> AsyncIterator[Review]:
        """One transaction, by default with the lock of decisions.

        Raises:
            DatabaseDown: as `Database.writing`.
        """
        async with self.database.writing() as session:
            for one in locks or (Lock.DECISIONS,):
                await lock(session, one)
            review = Review(session, self.confirmations)
            yield review
            await review.settle()
            await touch(session, review.touched)
        for outcome in review.outcomes:
            self.count(*outcome)
        if review.touched:
            await self.on_change()

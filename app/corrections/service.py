"""Corrections: submitted, looked up, reviewed, searched, deleted. The door for routes and commands."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from app.access.client import Client
from app.corrections import retention, search
from app.corrections.admission import Quotas, Replay
from app.corrections.checks import Limits, Verdict, check, compare
from app.corrections.review import Counter, Reviewing, is_author, no_memory, uncounted
from app.corrections.states import Found, find_out
from app.corrections.statistics import PairStatistics, statistics
from app.corrections.values import (
    REVIEW_SCOPES,
    Action,
    Draft,
    Outcome,
    Submission,
    checked_reason,
    draft_of,
    not_found,
    row_of,
    with_session,
)
from app.errors import Conflict, FieldError, Forbidden, InvalidRequest
from app.settings import Settings
from app.storage.db import Database
from app.storage.housekeeping import in_slices
from app.storage.locks import Lock
from app.storage.tables import APPROVED, PENDING, Correction
from app.translating.detection import Detect

MAX_BULK = 1000
NO_SUCH = "There is no such correction."


class Corrections:
    """All that can be done with corrections. Everything raises `DatabaseDown` if the database does not answer."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        detect: Detect,
        on_change: Callable[[], Awaitable[None]] = no_memory,
        count: Counter = uncounted,
    ) -> None:
        """`on_change` is awaited after each commit that changes what memory answers."""
        self._database = database
        self._detect = detect
        self._count = count
        self._reviewing = Reviewing(database, settings.corrections_confirmations, on_change, count)
        self._limits = Limits(settings.max_chars)
        self._quotas = Quotas.of(settings)
        self._retention_days = settings.corrections_retention_days

    async def submit(self, draft: Draft, client: Client, idempotency_key: str | None = None) -> Submission:
        """Check `draft` and store it: pending, or approved if the client is trusted and nothing is odd.

        Raises:
            InvalidRequest: a hard check failed, or the key is malformed or came with another body.
            LimitReached: so many wait for a reviewer that this one may not.
        """
        replay = None if idempotency_key is None else Replay.of(draft, client, idempotency_key)
        marks = (await self._verdict(draft)).marks
        author, token = with_session(client)
        trusted = client.trusted and not marks
        async with self._reviewing.begin(*([Lock.DECISIONS] if trusted else []), Lock.SUBMISSIONS) as review:
            if replay is not None and (earlier := await replay.find(review.session)) is not None:
                return Submission((await find_out(review.session, [earlier]))[0], created=False)
            row = row_of(draft, author)
            row.marks = [*marks, *compare(row.text_key, await review.rivals(row))]
            review.session.add(row)
            await review.session.flush()
            if replay is not None:
                await replay.remember(review.session, row)
            if trusted and not row.marks:
                review.approve(row, client, trusted=True)
            if row.status == PENDING:
                await self._quotas.check(review.session, row, client)
        self._count(draft.pair, "submitted")
        return Submission(Found(row), created=True, session=token)

    async def _verdict(self, draft: Draft) -> Verdict:
        """In a thread: detection is too slow for the event loop."""
        verdict = await asyncio.to_thread(check, draft, self._detect, self._limits)
        if verdict.errors:
            self._count(draft.pair, "refused")
            raise InvalidRequest(verdict.errors)
        return verdict

    async def get(self, correction_id: uuid.UUID) -> Found:
        """The correction and what became of it.

        Raises:
            NotFound: there is none with this id.
        """
        async with self._database.reading() as session:
            return (await find_out(session, [await _stored(session, correction_id)]))[0]

    async def delete(self, correction_id: uuid.UUID, client: Client) -> None:
        """Delete it for good, everywhere but in models that were trained on it and files that were exported.

        Raises:
            NotFound: there is none with this id, or `client` neither made it nor reviews.
        """
        async with self._reviewing.begin() as review:
            row = await _stored(review.session, correction_id)
            if not (is_author(row, client) or client.scopes & REVIEW_SCOPES):
                raise not_found(correction_id)
            await review.remove(row)
            await retention.forget_in_reports(review.session, [correction_id])

    async def approve(self, correction_id: uuid.UUID, client: Client) -> Found:
        """Approve it, or confirm it where two people must. It supersedes the others of its sentence.

        Raises:
            NotFound: there is none with this id.
            Forbidden: its author may not confirm it.
        """
        return await self._decide_one(correction_id, client, "approve")

    async def reject(self, correction_id: uuid.UUID, client: Client, reason: str) -> Found:
        """Reject it, also if it is approved.

        Raises:
            NotFound: there is none with this id.
            InvalidRequest: the reason is empty, too long, or holds what no text can.
        """
        return await self._decide_one(correction_id, client, "reject", reason)

    async def reopen(self, correction_id: uuid.UUID, client: Client) -> Found:
        """Take back what was decided about it: it waits again, and nobody has confirmed it. What its approval had
        superseded, and nothing else since, is what it was before.

        Raises:
            NotFound: there is none with this id.
        """
        return await self._decide_one(correction_id, client, "reopen")

    async def _decide_one(self, correction_id: uuid.UUID, client: Client, action: Action, reason: str = "") -> Found:
        (outcome,) = await self.decide([correction_id], client, action, reason)
        if outcome.found is None:
            raise not_found(correction_id)
        if outcome.problem is not None:
            raise Forbidden(outcome.problem)
        return outcome.found

    async def decide(
        self, ids: Sequence[uuid.UUID], client: Client, action: Action = "approve", reason: str = ""
    ) -> list[Outcome]:
        """Approve all of `ids`, reject them for `reason`, or reopen them; one outcome for each, in their order.

        Of two corrections of one sentence the one that was made later wins.

        Raises:
            InvalidRequest: more than `MAX_BULK` ids, or a reason that `reject` would not take.
        """
        if len(ids) > MAX_BULK:
            raise InvalidRequest([FieldError("ids", f"has {len(ids)}; at most {MAX_BULK} are allowed", MAX_BULK)])
        reason = checked_reason(reason) if action == "reject" else ""
        problems: dict[uuid.UUID, str | None] = {}
        async with self._reviewing.begin() as review:
            rows = await review.find(ids)
            for row in sorted(rows.values(), key=lambda row: (row.created_at, row.id)):
                if action == "approve":
                    problems[row.id] = review.approve(row, client)
                elif action == "reject":
                    review.reject(row, client, reason)
                else:
                    review.reopen(row)
            await review.settle()
            rows = await review.find(ids)  # one of them may have superseded another
            found = {one.correction.id: one for one in await find_out(review.session, list(rows.values()))}
        return [Outcome(one, found.get(one), problems.get(one) if one in found else NO_SUCH) for one in ids]

    async def edit(self, correction_id: uuid.UUID, corrected: str, client: Client) -> Found:
        """Give a pending or approved correction another text, which is checked as a new one is. An approved one stays
        approved, unless two people must approve: then it waits for the second.

        Raises:
            NotFound: there is none with this id.
            Conflict: it is rejected or superseded.
            InvalidRequest: a hard check failed.
        """
        async with self._database.reading() as session:
            before = await _stored(session, correction_id)
        verdict = await self._verdict(draft_of(before, corrected))
        async with self._reviewing.begin() as review:
            row = await _stored(review.session, correction_id)
            if row.status not in (PENDING, APPROVED):
                raise Conflict(f"It is {row.status}; approve it first.")
            await review.edit(row, corrected, client)
            row.marks = [*verdict.marks, *compare(row.text_key, await review.rivals(row))]
            await review.settle()
            return (await find_out(review.session, [row]))[0]

    async def search(self, wanted: search.Search) -> search.Page:
        """One page of what is wanted; see `app.corrections.search`."""
        async with self._database.reading() as session:
            return await search.find(session, wanted)

    async def statistics(self) -> dict[str, PairStatistics]:
        """Numbers by pair."""
        async with self._database.reading() as session:
            return await statistics(session)

    async def purge(self) -> int:
        """Delete what is past its time, slice by slice; says how many corrections."""
        await in_slices(self._database, retention.purge_keys())
        await in_slices(self._database, retention.purge_changes)
        days = self._retention_days
        return await in_slices(self._database, partial(retention.purge_corrections, retention_days=days)) if days else 0


async def _stored(session: AsyncSession, correction_id: uuid.UUID) -> Correction:
    """The correction with this id.

    Raises:
        NotFound: there is none.
    """
    row = await session.get(Correction, correction_id)
    if row is None:
        raise not_found(correction_id)
    return row

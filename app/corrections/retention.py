"""Forgetting: what is past its time, and what its author wants back."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from sqlalchemy import String, cast, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.housekeeping import SLICE_ROWS, DeleteSome, delete_slice
from app.storage.locks import Lock, lock
from app.storage.tables import REJECTED, SUPERSEDED, Correction, IdempotencyKey, MemoryChange, RetrainingRun, now

T = TypeVar("T")

IDEMPOTENCY_KEPT = dt.timedelta(hours=24)
CHANGES_KEPT = dt.timedelta(days=1)
ROWS_AT_ONCE = 200


def purge_keys() -> DeleteSome:
    """Deletes idempotency keys that are forgotten."""
    return delete_slice(IdempotencyKey, IdempotencyKey.created_at < now() - IDEMPOTENCY_KEPT)


async def purge_changes(session: AsyncSession) -> int:
    """Delete some notes for memory that nobody needs any more; says how many.

    Oldest first, and whole versions: who has seen all before one must find all of it, or see that it is gone.
    """
    oldest = select(MemoryChange.version, MemoryChange.changed_at).order_by(MemoryChange.version).limit(SLICE_ROWS)
    rows = oldest.subquery()
    old = rows.c.changed_at < now() - CHANGES_KEPT
    last = await session.scalar(select(func.max(rows.c.version)).where(old))
    if last is None:
        return 0
    result = await session.execute(delete(MemoryChange).where(MemoryChange.version <= last))
    return int(getattr(result, "rowcount", 0))


async def purge_corrections(session: AsyncSession, retention_days: int) -> int:
    """Delete up to `ROWS_AT_ONCE` rejected and superseded corrections older than that; says how many it were."""
    await lock(session, Lock.DECISIONS)  # or one that is approved after it was found would go
    old = (
        select(Correction.id)
        .where(Correction.status.in_((REJECTED, SUPERSEDED)))
        .where(Correction.changed_at < now() - dt.timedelta(days=retention_days))
        .limit(ROWS_AT_ONCE)
    )
    ids = (await session.scalars(old)).all()
    if ids:
        await forget_in_reports(session, ids)
        await session.execute(delete(Correction).where(Correction.id.in_(ids)))
    return len(ids)


async def forget_in_reports(session: AsyncSession, ids: Collection[uuid.UUID]) -> None:
    """Take these corrections out of the stored reports of retraining: every element of a list whose `id` it is.

    Ids are looked for as `str` writes them; at most `ROWS_AT_ONCE`, for each is a condition of the query.
    """
    gone = {str(one) for one in ids}
    naming = or_(*(cast(RetrainingRun.report, String).contains(one) for one in gone))
    runs = (await session.scalars(select(RetrainingRun.id).where(naming))).all()
    for run_id in runs:  # one at a time: a report holds all sentences that changed
        run = await session.get(RetrainingRun, run_id)
        kept = _without(run.report, gone) if run is not None else None
        if run is not None and kept != run.report:
            run.report = kept
            await session.flush()


async def forget_deleted(session: AsyncSession, report: T, ids: Sequence[uuid.UUID]) -> T:
    """`report`, which is about to be stored, without those of the corrections `ids` that are not there any more.

    The transaction must hold `Lock.DECISIONS`, or one may be deleted before the report is seen.
    """
    gone = set(ids)
    for start in range(0, len(ids), ROWS_AT_ONCE):
        there = select(Correction.id).where(Correction.id.in_(ids[start : start + ROWS_AT_ONCE]))
        gone.difference_update(await session.scalars(there))
    kept: T = _without(report, {str(one) for one in gone})
    return kept


def _without(value: Any, gone: Collection[str]) -> Any:
    """`value` without the list elements that are objects with one of these ids, at any depth."""
    if isinstance(value, dict):
        return {key: _without(inner, gone) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner, gone) for inner in value if not _is_gone(inner, gone)]
    return value


def _is_gone(value: Any, gone: Collection[str]) -> bool:
    return isinstance(value, dict) and isinstance(value.get("id"), str) and value["id"] in gone

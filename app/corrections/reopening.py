"""Taking decisions back: what an approval had superseded is what it was before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Text, Update, and_, bindparam, case, null, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.corrections.states import SAME_AS, SUPERSEDED_BY
from app.storage.tables import APPROVED, PENDING, SUPERSEDED, Correction, now

CORRECTIONS = Correction.metadata.tables[Correction.__tablename__]
Key = tuple[str, str]
"""Pair and source key of a sentence."""


async def restore(session: AsyncSession, reopened: Sequence[Correction], needed: int) -> set[Key]:
    """Undo what the approvals of `reopened`, which wait again and are written, have done to others of their sentences.

    The one that was approved before is so again, those that waited wait again. Where another one is approved
    meanwhile, it takes the place of the one whose approval never was: it supersedes what it would have superseded.
    Only what says that it was superseded by one of `reopened` is touched.

    Args:
        needed: how many people must approve; what fewer have approved waits again instead

    Returns the sentences that memory answers differently.
    """
    keys = {(row.pair, row.source_key) for row in reopened}
    answering = await _answering(session, keys)
    touched = set()
    for row in await _beaten(session, reopened):
        key = (row.pair, row.source_key)
        winner = answering.get(key)
        row.changed_at = now()
        if winner is not None:
            row.reason = f"{SUPERSEDED_BY}{winner.id}"
            continue
        row.reason = None
        row.status = APPROVED if needed == 1 or len(row.confirmed_by) >= needed else PENDING
        if row.status == APPROVED:
            answering[key] = row
            touched.add(key)
    await session.flush()
    await (await session.connection()).execute(_waiting_again(), [_values(row, answering) for row in reopened])
    return touched


async def _answering(session: AsyncSession, keys: Iterable[Key]) -> dict[Key, Correction]:
    """The approved correction of each of these sentences that has one."""
    found = await _of_sentences(session, keys, APPROVED)
    return {(row.pair, row.source_key): row for row in found}


async def _beaten(session: AsyncSession, reopened: Sequence[Correction]) -> list[Correction]:
    """What was approved until one of `reopened` was; what was so last comes first."""
    reasons = {f"{SUPERSEDED_BY}{row.id}" for row in reopened}
    rows = await _of_sentences(session, {(row.pair, row.source_key) for row in reopened}, SUPERSEDED, reasons)
    return sorted(rows, key=lambda row: row.reviewed_at or row.created_at, reverse=True)


async def _of_sentences(
    session: AsyncSession, keys: Iterable[Key], status: str, reasons: Iterable[str] | None = None
) -> list[Correction]:
    by_pair: dict[str, list[str]] = {}
    for pair, key in keys:
        by_pair.setdefault(pair, []).append(key)
    found: list[Correction] = []
    for pair, of_pair in by_pair.items():
        wanted = select(Correction).where(Correction.pair == pair, Correction.source_key.in_(of_pair))
        wanted = wanted.where(Correction.status == status)
        if reasons is not None:
            wanted = wanted.where(Correction.reason.in_(reasons))
        found += await session.scalars(wanted.execution_options(populate_existing=True))
    return found


def _values(row: Correction, answering: dict[Key, Correction]) -> dict[str, Any]:
    winner = answering.get((row.pair, row.source_key))
    return {
        "of_pair": row.pair, "of_sentence": row.source_key, "undone": f"{SAME_AS}{row.id}", "moment": now(),
        "says": winner.text_key if winner else "", "same": f"{SAME_AS}{winner.id}" if winner else "",
    }  # fmt: skip


def _waiting_again() -> Update:
    """Those that waited with the same text as a reopened correction; there may be thousands. Those that say what is
    approved now are settled by that instead."""
    row = CORRECTIONS.c
    settled = row.text_key == bindparam("says")
    return (
        CORRECTIONS.update()
        .where(row.pair == bindparam("of_pair"), row.source_key == bindparam("of_sentence"))
        .where(and_(row.status == SUPERSEDED, row.reason == bindparam("undone")))
        .values(
            status=case((settled, SUPERSEDED), else_=PENDING),
            reason=case((settled, bindparam("same", type_=Text)), else_=null()),
            changed_at=bindparam("moment"),
        )
    )

"""How the correction loop is doing, in numbers."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, String, cast, distinct, func, literal_column, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.corrections.states import serving_versions
from app.storage.tables import APPROVED, PENDING, REJECTED, STATUSES, SUPERSEDED, Correction, TrainedCorrection, now

TOP_MARKS = 10
MARKED_ROWS = 10_000
"""Newest marked pending corrections whose marks are counted."""

DAYS = 30
"""That are shown one by one."""


@dataclass
class Day:
    """What happened on one day, by what is known of it now."""

    day: str
    """In UTC, such as `2026-11-25`."""
    submitted: int = 0
    approved: int = 0
    """Approved then, and neither rejected nor reopened since."""
    rejected: int = 0


def _last_days() -> list[Day]:
    today = now().date()
    return [Day((today - dt.timedelta(days=ago)).isoformat()) for ago in reversed(range(DAYS))]


@dataclass
class PairStatistics:
    """Of the corrections of one pair."""

    by_status: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    approved_last_24_hours: int = 0
    approved_last_7_days: int = 0
    oldest_pending_s: float | None = None
    """How long the oldest one has waited for a reviewer; None if none waits."""
    in_memory: int = 0
    """Sentences that memory answers."""
    trained_in_current: int = 0
    """Approved corrections that the version which serves now, or an ancestor of it, was trained on."""
    top_marks: dict[str, int] = field(default_factory=dict)
    """Codes of the most frequent marks of pending corrections."""
    by_day: list[Day] = field(default_factory=_last_days)
    """The last `DAYS`, the oldest first."""


async def statistics(session: AsyncSession) -> dict[str, PairStatistics]:
    """By pair; pairs without corrections are left out."""
    found: dict[str, PairStatistics] = defaultdict(PairStatistics)
    counts = select(Correction.pair, Correction.status, func.count()).group_by(Correction.pair, Correction.status)
    for pair, status, count in await session.execute(counts.order_by(Correction.pair)):
        found[pair].by_status[status] = count
    await _add_approved(session, found)
    await _add_pending(session, found)
    await _add_trained(session, found)
    await _add_days(session, found)
    return dict(found)


async def _add_approved(session: AsyncSession, found: dict[str, PairStatistics]) -> None:
    approved = select(Correction.pair, func.count(), func.count(distinct(Correction.source_key))).where(
        Correction.status == APPROVED
    )
    for pair, _, sentences in await session.execute(approved.group_by(Correction.pair)):
        found[pair].in_memory = sentences
    for days, name in ((1, "approved_last_24_hours"), (7, "approved_last_7_days")):
        recent = approved.where(Correction.reviewed_at >= now() - dt.timedelta(days=days)).group_by(Correction.pair)
        for pair, count, _ in await session.execute(recent):
            setattr(found[pair], name, count)


async def _add_pending(session: AsyncSession, found: dict[str, PairStatistics]) -> None:
    pending = Correction.status == PENDING
    oldest = select(Correction.pair, func.min(Correction.created_at)).where(pending).group_by(Correction.pair)
    for pair, moment in await session.execute(oldest):
        found[pair].oldest_pending_s = max(0.0, (now() - moment).total_seconds())
    marked = select(Correction.pair, Correction.marks).where(pending, cast(Correction.marks, String) != "[]")
    codes: dict[str, Counter[str]] = {}
    newest = marked.order_by(Correction.created_at.desc()).limit(MARKED_ROWS)
    for pair, marks in await session.execute(newest):
        codes.setdefault(pair, Counter()).update(dict.fromkeys((mark.partition(":")[0] for mark in marks), 1))
    for pair, counter in codes.items():
        found[pair].top_marks = dict(counter.most_common(TOP_MARKS))


async def _add_trained(session: AsyncSession, found: dict[str, PairStatistics]) -> None:
    for pair, line in (await serving_versions(session)).items():
        if pair not in found:
            continue
        trained = (
            select(func.count(distinct(TrainedCorrection.correction_id)))
            .join(Correction, Correction.id == TrainedCorrection.correction_id)
            .where(Correction.status == APPROVED, TrainedCorrection.pair == pair, TrainedCorrection.version.in_(line))
        )
        found[pair].trained_in_current = await session.scalar(trained) or 0


async def _add_days(session: AsyncSession, found: dict[str, PairStatistics]) -> None:
    """What was approved or rejected and waits again was not, and counts no more; nor what was deleted."""
    decided = Correction.reviewed_at
    wanted = (
        ("submitted", Correction.created_at, true()),
        ("approved", decided, Correction.status.in_((APPROVED, SUPERSEDED))),
        ("rejected", decided, Correction.status == REJECTED),
    )
    since = now() - dt.timedelta(days=DAYS)
    for name, moment, condition in wanted:
        day = _day(session, moment)
        counts = select(Correction.pair, day, func.count()).where(moment >= since, condition)
        for pair, date, count in await session.execute(counts.group_by(Correction.pair, day)):
            for one in found[pair].by_day:
                if one.day == str(date):
                    setattr(one, name, count)


def _day(session: AsyncSession, moment: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    """The day of `moment` in UTC."""
    if session.get_bind().dialect.name == "postgresql":
        return func.date(func.timezone(literal_column("'UTC'"), moment))
    return func.date(moment)

"""What became of a correction, in the words that its author reads; derived, never stored."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.tables import (
    APPROVED,
    CURRENT,
    REJECTED,
    RETIRED,
    SUPERSEDED,
    Correction,
    ModelVersion,
    TrainedCorrection,
)

SUPERSEDED_BY, SAME_AS = "superseded by ", "the same as "
"""Reasons of superseded corrections begin with one of these; the other's id follows."""


@dataclass(frozen=True, slots=True)
class Found:
    """A correction and what became of it."""

    correction: Correction
    trained_in: Sequence[str] = ()
    """Promoted versions that were trained on it: those that serve now (the current one and its ancestors) come first,
    then the newest."""

    @property
    def state(self) -> str:
        """`pending`, `in memory`, `trained in V`, `rejected: why` or `superseded by ID`."""
        row = self.correction
        if row.status == APPROVED:
            return f"trained in {self.trained_in[0]}" if self.trained_in else "in memory"
        if row.status == REJECTED:
            return f"rejected: {row.reason}" if row.reason else REJECTED
        if row.status == SUPERSEDED and row.reason:
            return SUPERSEDED_BY + row.reason.removeprefix(SUPERSEDED_BY).removeprefix(SAME_AS)
        return row.status


async def find_out(session: AsyncSession, rows: Sequence[Correction]) -> list[Found]:
    """What became of each of `rows`, in their order."""
    trained = await trained_versions(session, [row.id for row in rows])
    return [Found(row, trained.get(row.id, ())) for row in rows]


async def trained_versions(session: AsyncSession, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    """`Found.trained_in` of each correction that has any."""
    links = (
        select(TrainedCorrection.correction_id, ModelVersion)
        .join(ModelVersion, and_(ModelVersion.pair == TrainedCorrection.pair,
                                 ModelVersion.version == TrainedCorrection.version))
        .where(TrainedCorrection.correction_id.in_(ids), ModelVersion.status.in_((CURRENT, RETIRED)))
        .order_by(ModelVersion.created_at.desc(), ModelVersion.version)
    )  # fmt: skip
    found: dict[uuid.UUID, list[ModelVersion]] = {}
    for correction_id, version in await session.execute(links):
        found.setdefault(correction_id, []).append(version)
    if not found:
        return {}
    serving = await serving_versions(session)
    return {correction_id: _ordered(versions, serving) for correction_id, versions in found.items()}


async def serving_versions(session: AsyncSession) -> dict[str, list[str]]:
    """By pair, the current version and its ancestors, nearest first: what they learned is in what serves now."""
    columns = (ModelVersion.pair, ModelVersion.version, ModelVersion.parent, ModelVersion.status)
    rows = (await session.execute(select(*columns))).all()
    parents = {(row.pair, row.version): row.parent for row in rows}
    return {row.pair: lineage(row.pair, row.version, parents) for row in rows if row.status == CURRENT}


def lineage(pair: str, version: str | None, parents: Mapping[tuple[str, str], str | None]) -> list[str]:
    """`version`, its parent, and so on, by the `parents` of pairs and versions; a circle ends it."""
    line: list[str] = []
    while version and version not in line:
        line.append(version)
        version = parents.get((pair, version))
    return line


def _ordered(versions: Iterable[ModelVersion], serving: dict[str, list[str]]) -> list[str]:
    def rank(version: ModelVersion) -> int:
        line = serving.get(version.pair, [])
        return line.index(version.version) if version.version in line else len(line)

    return [version.version for version in sorted(versions, key=rank)]

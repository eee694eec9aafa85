"""How many corrections may wait for a reviewer. Counted in the database by an index, and no further than the limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.access import Client
from app.errors import LimitReached
from app.settings import Settings
from app.storage.tables import PENDING, Correction

REVIEW_SCOPES = frozenset({"review", "admin"})


@dataclass(frozen=True, slots=True)
class Quota:
    """One limit."""

    setting: str
    most: int
    of_what: str
    condition: ColumnElement[bool]
    """Which pending corrections count."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """What the settings allow; 0 means any number."""

    per_sentence: int
    per_session: int
    anonymous: int
    per_key: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of `settings`."""
        return cls(
            settings.corrections_pending_per_sentence, settings.corrections_pending_per_session,
            settings.corrections_pending_anonymous, settings.corrections_pending_per_key,
        )  # fmt: skip

    async def check(self, session: AsyncSession, row: Correction, client: Client) -> None:
        """Refuse `row`, which is pending and written already, if there is one too many with it. The transaction must
        hold `Lock.QUOTAS`, or others that count at the same moment pass the limit together.

        Raises:
            LimitReached: the transaction must be given up.
        """
        for quota in self._of(row, client):
            if quota.most and await _more_than(quota.most, session, quota.condition):
                raise LimitReached(quota.setting, quota.most, quota.of_what)

    def _of(self, row: Correction, client: Client) -> Iterator[Quota]:
        """Those that count for `client`: reviewers could approve what they send."""
        same = (Correction.pair == row.pair) & (Correction.source_key == row.source_key)
        yield Quota("corrections_pending_per_sentence", self.per_sentence, "pending corrections of this sentence", same)
        if client.scopes & REVIEW_SCOPES:
            return
        if client.key_id is not None:
            mine = Correction.author_key_id == client.key_id
            yield Quota("corrections_pending_per_key", self.per_key, "pending corrections of this key", mine)
            return
        mine = Correction.author_session == row.author_session
        yield Quota("corrections_pending_per_session", self.per_session, "pending corrections of this session", mine)
        anyone = Correction.author_session.is_not(None)
        yield Quota(
            "corrections_pending_anonymous", self.anonymous, "pending corrections of clients without a key", anyone
        )


async def _more_than(most: int, session: AsyncSession, condition: ColumnElement[bool]) -> bool:
    found = select(Correction.status).where(Correction.status == PENDING, condition).limit(most + 1).subquery()
    return (await session.scalar(select(func.count()).select_from(found)) or 0) > most

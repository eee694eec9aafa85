"""What a submission passes before it is kept: whether it was sent before, and whether there is room for it.

The same POST again gives the same correction, also when both arrive at once. How many corrections may wait for a
reviewer is counted in the database by an index, and no further than the limit.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from pydantic_core import to_json
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.client import Client
from app.corrections.retention import IDEMPOTENCY_KEPT
from app.corrections.values import OWNER, REVIEW_SCOPES, Draft
from app.errors import FieldError, InvalidRequest, LimitReached
from app.settings import Settings
from app.storage.tables import PENDING, Correction, IdempotencyKey, now

HEADER = "Idempotency-Key"
MAX_CHARS = 255
KEYED_SHARE = 2
"""So many times what strangers may have of one sentence, clients with a key may: as much is left to them, whatever
strangers send. One count of all, because an index has no author besides the sentence."""


@dataclass(frozen=True, slots=True)
class Replay:
    """An idempotency key, whose it is, and what it was sent with."""

    client: str
    key: str
    body_hash: str

    @classmethod
    def of(cls, draft: Draft, client: Client, key: str) -> Self:
        """Check `key`. Clients without key and session share one scope: they should send random keys.

        Raises:
            InvalidRequest: it is empty, too long, or not printable ASCII.
        """
        if not (1 <= len(key) <= MAX_CHARS and key.isascii() and key.isprintable()):
            raise InvalidRequest(
                [FieldError(HEADER, f"must be 1 to {MAX_CHARS} printable ASCII characters", MAX_CHARS)]
            )
        return cls(_scope(client), key, hashlib.sha256(to_json(dataclasses.asdict(draft))).hexdigest())

    async def find(self, session: AsyncSession) -> Correction | None:
        """The correction that this key made within the last 24 hours; an older key is forgotten.

        Raises:
            InvalidRequest: the key came with another body.
        """
        earlier = await session.get(IdempotencyKey, (self.client, self.key))
        if earlier is None:
            return None
        if earlier.created_at < now() - IDEMPOTENCY_KEPT:
            await session.delete(earlier)
            await session.flush()
            return None
        if earlier.body_hash != self.body_hash:
            raise InvalidRequest([FieldError(HEADER, "was used with another body within the last 24 hours")])
        return await session.get(Correction, earlier.correction_id)

    async def remember(self, session: AsyncSession, row: Correction) -> None:
        """Note that the key made `row`. The transaction must hold `Lock.SUBMISSIONS`, or another may be faster."""
        session.add(IdempotencyKey(client=self.client, key=self.key, body_hash=self.body_hash, correction_id=row.id))
        await session.flush()


def _scope(client: Client) -> str:
    """80 characters at most."""
    if client.key_id is not None:
        return f"key {client.key_id}"
    return f"session {client.session}" if client.session is not None else client.name


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
        hold `Lock.SUBMISSIONS`, or others that count at the same moment pass the limit together.

        Raises:
            LimitReached: the transaction must be given up.
        """
        for quota in self._of(row, client):
            if quota.most and await _more_than(quota.most, session, quota.condition):
                raise LimitReached(quota.setting, quota.most, quota.of_what)

    def _of(self, row: Correction, client: Client) -> Iterator[Quota]:
        """Those that count for `client`: none for reviewers, who could approve what they send."""
        if client.scopes & REVIEW_SCOPES:
            return
        most = self.per_sentence if client.key_id is None else KEYED_SHARE * self.per_sentence
        same = (Correction.pair == row.pair) & (Correction.source_key == row.source_key)
        yield Quota("corrections_pending_per_sentence", most, "pending corrections of this sentence", same)
        if client.key_id is not None:
            mine = Correction.author_key_id == client.key_id
            yield Quota("corrections_pending_per_key", self.per_key, "pending corrections of this key", mine)
            return
        mine = Correction.author_session == row.author_session
        yield Quota("corrections_pending_per_session", self.per_session, "pending corrections of this session", mine)
        anyone = Correction.author_session.is_not(None) & (Correction.author_session != OWNER)
        yield Quota(
            "corrections_pending_anonymous", self.anonymous, "pending corrections of clients without a key", anyone
        )


async def _more_than(most: int, session: AsyncSession, condition: ColumnElement[bool]) -> bool:
    found = select(Correction.status).where(Correction.status == PENDING, condition).limit(most + 1).subquery()
    return (await session.scalar(select(func.count()).select_from(found)) or 0) > most

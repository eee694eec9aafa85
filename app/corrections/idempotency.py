"""The same POST again gives the same correction, also when both arrive at once."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Self

from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.access import Client
from app.corrections.retention import IDEMPOTENCY_KEPT
from app.corrections.values import Draft
from app.errors import FieldError, InvalidRequest
from app.storage.tables import Correction, IdempotencyKey, now

HEADER = "Idempotency-Key"
MAX_CHARS = 255


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
        """Note that the key made `row`.

        Raises:
            IntegrityError: another transaction was faster; that one's correction can be found now.
        """
        session.add(IdempotencyKey(client=self.client, key=self.key, body_hash=self.body_hash, correction_id=row.id))
        await session.flush()


def _scope(client: Client) -> str:
    """80 characters at most."""
    if client.key_id is not None:
        return f"key {client.key_id}"
    return f"session {client.session}" if client.session is not None else client.name

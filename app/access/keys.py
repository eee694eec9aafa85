"""Keys that clients send as `Authorization: Bearer KEY`: made, listed, revoked, and found again."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import ColumnElement, select

from app.access.access import Client
from app.errors import Conflict, FieldError, InvalidRequest, NotFound
from app.scopes import ALL_SCOPES, SCOPES, Scope
from app.storage.db import Database
from app.storage.tables import ApiKey, now

KEY_START = "traghetto_"
SECRET_BYTES = 32
KEY_CHARS = len(KEY_START) + 43
"""`SECRET_BYTES` in URL-safe base64, without padding."""
PREFIX_CHARS = 16
MAX_NAME_CHARS = 100
REMEMBER_S = 2.0
"""A revoked key is refused everywhere after this time."""
REMEMBER_KEYS = 1024
"""Of the right ones, and as many wrong ones: trying keys does not drive the right ones out."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. `secret` is shown once: only its hash is stored."""

    row: ApiKey
    secret: str = field(repr=False)


class Keys:
    """The keys in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._right: OrderedDict[str, tuple[float, Client | None]] = OrderedDict()
        self._wrong: OrderedDict[str, tuple[float, Client | None]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Client | None]] = {}

    async def create(self, name: str, scopes: Collection[Scope], *, trusted: bool = False) -> NewKey:
        """Make a key for `name`, which tells people whose it is.

        Raises:
            InvalidRequest: the name is empty or too long or has control characters, or there is no scope.
            DatabaseDown: as `Database.writing`.
        """
        _check(name, scopes)
        secret = KEY_START + secrets.token_urlsafe(SECRET_BYTES)
        ordered = [scope for scope in SCOPES if scope in scopes]
        row = ApiKey(
            name=name, prefix=secret[:PREFIX_CHARS], secret_hash=_hash(secret), scopes=ordered, trusted=trusted
        )
        async with self._database.writing() as session:
            session.add(row)
        return NewKey(row, secret)

    async def list_all(self) -> list[ApiKey]:
        """Every key, revoked ones too, oldest first."""
        async with self._database.reading() as session:
            return list(await session.scalars(select(ApiKey).order_by(ApiKey.created_at, ApiKey.id)))

    async def revoke(self, id_or_prefix: str) -> ApiKey:
        """End a key for good. One that is revoked already keeps its time.

        Raises:
            NotFound: there is no such key.
            Conflict: several keys begin so.
            DatabaseDown: as `Database.writing`.
        """
        async with self._database.writing() as session:
            found = list(await session.scalars(select(ApiKey).where(_names(id_or_prefix))))
            if not found:
                raise NotFound("There is no key with this id or prefix; `traghetto keys list` shows them.")
            if len(found) > 1:
                raise Conflict(f"{len(found)} keys have this prefix; name one by its id.")
            (row,) = found
            row.revoked_at = row.revoked_at or now()
        self._right.pop(row.secret_hash, None)
        return row

    async def find(self, key: str) -> Client | None:
        """Whose key it is, as of at most `REMEMBER_S` ago; None if it is nobody's or revoked.

        Raises:
            DatabaseDown: it must be looked up, and cannot be.
        """
        if not (key.startswith(KEY_START) and len(key) == KEY_CHARS and key.isascii()):
            return None
        hashed = _hash(key)
        for known in (self._right, self._wrong):
            until, client = known.get(hashed, (0.0, None))
            if until > time.monotonic():
                known.move_to_end(hashed)
                return client
        return await self._ask(hashed)

    async def _ask(self, hashed: str) -> Client | None:
        """Look it up, once for all who ask at the same moment, whoever of them goes away."""
        task = self._asking.get(hashed)
        if task is None:
            task = self._asking[hashed] = asyncio.create_task(self._look_up(hashed))
            task.add_done_callback(lambda done: self._answered(hashed, done))
        return await asyncio.shield(task)

    def _answered(self, hashed: str, task: asyncio.Task[Client | None]) -> None:
        del self._asking[hashed]
        if not task.cancelled():
            task.exception()  # seen, even if all who asked have gone

    async def _look_up(self, hashed: str) -> Client | None:
        asked_at = time.monotonic()
        async with self._database.reading() as session:
            row = await session.scalar(select(ApiKey).where(ApiKey.secret_hash == hashed))
        client = _client(row) if row is not None and row.revoked_at is None else None
        known, other = (self._right, self._wrong) if client is not None else (self._wrong, self._right)
        other.pop(hashed, None)
        known[hashed] = (asked_at + REMEMBER_S, client)
        known.move_to_end(hashed)
        while len(known) > REMEMBER_KEYS:
            known.popitem(last=False)
        return client


def _check(name: str, scopes: Collection[Scope]) -> None:
    errors = []
    if not (name.strip() and name.isprintable() and len(name) <= MAX_NAME_CHARS):
        errors.append(FieldError("name", f"must be 1 to {MAX_NAME_CHARS} printable characters", MAX_NAME_CHARS))
    if not scopes or not set(scopes) <= ALL_SCOPES:
        errors.append(FieldError("scope", f"give at least one of: {', '.join(SCOPES)}"))
    if errors:
        raise InvalidRequest(errors)


def _names(id_or_prefix: str) -> ColumnElement[bool]:
    try:
        return ApiKey.id == UUID(id_or_prefix)
    except ValueError:
        return ApiKey.prefix == id_or_prefix


def _client(row: ApiKey) -> Client:
    """Scopes that this version does not know give nothing; `admin` gives all."""
    scopes = ALL_SCOPES if "admin" in row.scopes else frozenset(scope for scope in SCOPES if scope in row.scopes)
    return Client(str(row.id), scopes, key_id=row.id, trusted=row.trusted)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

"""Keys that clients send as `Authorization: Bearer KEY`: made, listed, revoked, and found again."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.client import Client
from app.errors import Conflict, DatabaseDown, FieldError, InvalidRequest, NotFound
from app.scopes import ALL_SCOPES, SCOPES, Scope
from app.setting_values import NO_RATE, parsed_rates
from app.storage.db import Database
from app.storage.tables import ApiKey, now

KEY_START = "traghetto_"
SECRET_BYTES = 32
KEY_CHARS = len(KEY_START) + 43
"""`SECRET_BYTES` in URL-safe base64, without padding."""
PREFIX_CHARS = 16
MAX_NAME_CHARS = 100
MAX_RATE_CHARS = 200
MAX_CHARACTERS = 10**15
REMEMBER_S = 2.0
"""A revoked key is refused everywhere after this time."""
KNOWN_FOR_S = 600.0
"""While the database does not answer, a key that was right goes on for so long."""
KNOWN_WAIT_S = 0.5
"""Its requests wait so long for the database, and then not again for `REMEMBER_S`."""
REMEMBER_KEYS = 1024
"""Of the right ones, and as many wrong ones: trying keys does not drive the right ones out."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. `secret` is shown once: only its hash is stored."""

    row: ApiKey
    secret: str = field(repr=False)


class KeyLimits(NamedTuple):
    """What one key may, where that is not what the settings say for all."""

    requests: str | None = None
    """Such as `100/minute`, or `none`."""
    characters_per_month: int | None = None
    """0: any number."""


class Keys:
    """The keys in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._right: OrderedDict[str, tuple[float, Client | None]] = OrderedDict()
        self._wrong: OrderedDict[str, tuple[float, Client | None]] = OrderedDict()
        """By hash: when it was asked for, on the monotonic clock, and what came of it."""
        self._down_until = 0.0
        """The database did not answer; until then nobody waits for it whose key is known."""
        self._asking: dict[str, asyncio.Task[Client | None]] = {}

    async def create(
        self, name: str, scopes: Collection[Scope], *, trusted: bool = False, limits: KeyLimits | None = None
    ) -> NewKey:
        """Make a key for `name`, which tells people whose it is.

        Raises:
            InvalidRequest: the name is empty or too long or has control characters, there is no scope, or a limit
                cannot be read.
            DatabaseDown: as `Database.writing`.
        """
        limits = limits or KeyLimits()
        _check(name, scopes, limits)
        secret = KEY_START + secrets.token_urlsafe(SECRET_BYTES)
        ordered = [scope for scope in SCOPES if scope in scopes]
        row = ApiKey(
            name=name, prefix=secret[:PREFIX_CHARS], secret_hash=_hash(secret), scopes=ordered, trusted=trusted,
            requests=limits.requests, characters_per_month=limits.characters_per_month,
        )  # fmt: skip
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
            row = await _one(session, id_or_prefix)
            row.revoked_at = row.revoked_at or now()
        self._right.pop(row.secret_hash, None)
        return row

    async def limit(self, id_or_prefix: str, limits: KeyLimits, *, anew: bool = False) -> ApiKey:
        """Hold a key to `limits`; what they leave open stays as it was, or `anew` is as for all keys.

        Raises:
            InvalidRequest: a limit cannot be read.
            NotFound, Conflict, DatabaseDown: as `revoke`.
        """
        if errors := list(_check_limits(limits)):
            raise InvalidRequest(errors)
        async with self._database.writing() as session:
            row = await _one(session, id_or_prefix)
            if limits.requests is not None or anew:
                row.requests = limits.requests
            if limits.characters_per_month is not None or anew:
                row.characters_per_month = limits.characters_per_month
        self._right.pop(row.secret_hash, None)
        return row

    async def named(self, id_or_prefix: str) -> ApiKey:
        """The key of this id or prefix.

        Raises:
            NotFound, Conflict, DatabaseDown: as `revoke`.
        """
        async with self._database.reading() as session:
            return await _one(session, id_or_prefix)

    def is_known(self, key: str) -> bool:
        """Whether it was right when it was asked for last, not long ago."""
        return self._lately_right(_hash(key)) is not None

    async def find(self, key: str) -> Client | None:
        """Whose key it is, as of at most `REMEMBER_S` ago; None if it is nobody's or revoked. While the database does
        not answer, as of at most `KNOWN_FOR_S` ago.

        Raises:
            DatabaseDown: it must be looked up, and cannot be.
        """
        if not (key.startswith(KEY_START) and len(key) == KEY_CHARS and key.isascii()):
            return None
        hashed = _hash(key)
        now_s = time.monotonic()
        for known in (self._right, self._wrong):
            asked_at, client = known.get(hashed, (-REMEMBER_S, None))
            if asked_at + REMEMBER_S > now_s:
                known.move_to_end(hashed)
                return client
        client = self._lately_right(hashed)
        if client is None:
            return await self._ask(hashed)
        if self._down_until > now_s:
            return client
        try:
            async with asyncio.timeout(KNOWN_WAIT_S):
                return await self._ask(hashed)
        except (DatabaseDown, TimeoutError):
            self._down_until = time.monotonic() + REMEMBER_S
            return client

    def _lately_right(self, hashed: str) -> Client | None:
        asked_at, client = self._right.get(hashed, (0.0, None))
        return client if asked_at + KNOWN_FOR_S > time.monotonic() else None

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
        known[hashed] = (asked_at, client)
        known.move_to_end(hashed)
        while len(known) > REMEMBER_KEYS:
            known.popitem(last=False)
        return client


async def _one(session: AsyncSession, id_or_prefix: str) -> ApiKey:
    found = list(await session.scalars(select(ApiKey).where(_names(id_or_prefix))))
    if not found:
        raise NotFound("There is no key with this id or prefix; `traghetto keys list` shows them.")
    if len(found) > 1:
        raise Conflict(f"{len(found)} keys have this prefix; name one by its id.")
    return found[0]


def _check(name: str, scopes: Collection[Scope], limits: KeyLimits) -> None:
    errors = list(_check_limits(limits))
    if not (name.strip() and name.isprintable() and len(name) <= MAX_NAME_CHARS):
        errors.append(FieldError("name", f"must be 1 to {MAX_NAME_CHARS} printable characters", MAX_NAME_CHARS))
    if not scopes or not set(scopes) <= ALL_SCOPES:
        errors.append(FieldError("scope", f"give at least one of: {', '.join(SCOPES)}"))
    if errors:
        raise InvalidRequest(errors)


def _check_limits(limits: KeyLimits) -> Iterator[FieldError]:
    try:
        parsed_rates(limits.requests or NO_RATE)
    except ValueError:
        yield FieldError("requests", f"is not a rate such as 100/minute or 5/second;2000/hour, or {NO_RATE}")
    if len(limits.requests or "") > MAX_RATE_CHARS:
        yield FieldError("requests", f"has more than {MAX_RATE_CHARS} characters", MAX_RATE_CHARS)
    if not 0 <= (limits.characters_per_month or 0) <= MAX_CHARACTERS:
        yield FieldError("characters_per_month", f"must be 0 to {MAX_CHARACTERS}; 0 is no limit", MAX_CHARACTERS)


def _names(id_or_prefix: str) -> ColumnElement[bool]:
    try:
        return ApiKey.id == UUID(id_or_prefix)
    except ValueError:
        return ApiKey.prefix == id_or_prefix


def _client(row: ApiKey) -> Client:
    """Scopes that this version does not know give nothing; `admin` gives all."""
    scopes = ALL_SCOPES if "admin" in row.scopes else frozenset(scope for scope in SCOPES if scope in row.scopes)
    return Client(
        str(row.id), scopes, key_id=row.id, trusted=row.trusted, requests=row.requests,
        characters_per_month=row.characters_per_month,
    )  # fmt: skip


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

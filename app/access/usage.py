"""What clients have had translated: counted in memory, stored every second, and held against what a key may have. A
server that is killed forgets a second's worth. A database that is away is caught up with when it is back."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.client import Client
from app.access.months import first_of_next_month, seconds_left, this_month
from app.access.rates import Rates
from app.access.statements import Day, Statement, Used, stored
from app.errors import DatabaseDown, QuotaExceeded
from app.metrics import Metrics
from app.storage.db import Database
from app.storage.tables import UsageDay, now

log = logging.getLogger("traghetto.access")

STORE_EVERY_S = 1.0
STOP_TIMEOUT_S = 5.0
"""For the last of it to be stored when the server stops."""
LOAD_TIMEOUT_S = 2.0
"""A request waits so long for what its key has had in this month; then it goes on without knowing."""
KNOWN_FOR_S = 60.0
"""Then what other processes have counted for the same key is asked again."""


@dataclass(slots=True)
class _Account:
    """What one client has had that is not stored yet, and what is known to be stored of this month."""

    requests: int = 0
    """Counted within the last moment, ..."""
    spent: int = 0
    """... with so many characters."""
    waiting: dict[dt.date, Used] = field(default_factory=dict)
    """Counted before, and not stored yet."""
    leaving: dict[dt.date, Used] = field(default_factory=dict)
    """Being stored now."""
    reserved: int = 0
    """Characters of requests that are being translated."""
    month: dt.date = dt.date.min
    stored: int = 0
    """Characters of `month` that are stored, as of `asked_at` on the monotonic clock."""
    asked_at: float = -KNOWN_FOR_S

    def settle(self) -> None:
        """What was counted since the last time is today's."""
        if self.requests:
            self.wait(now().date(), Used(self.requests, self.spent))
            self.requests = self.spent = 0

    def wait(self, day: dt.date, used: Used) -> None:
        """Count `used`, to be stored."""
        self.waiting[day] = self.waiting.get(day, Used()).plus(used)

    def characters(self) -> int:
        """Of this month, those that are being translated among them."""
        unstored = (used for days in (self.waiting, self.leaving) for day, used in days.items() if day >= self.month)
        return self.stored + self.reserved + self.spent + sum(used.characters for used in unstored)


class Reserved(NamedTuple):
    """Characters that are being translated."""

    account: _Account
    client: Client
    characters: int


class Usage:
    """Counts for all clients of one process."""

    def __init__(self, database: Database, rates: Rates, per_month: int, metrics: Metrics) -> None:
        """`per_month`: characters that a key may have translated which has no number of its own; 0: any number."""
        self._database = database
        self._rates = rates
        self._per_month = per_month
        self._metrics = metrics
        self._accounts: dict[str, _Account] = {}
        self._storing = asyncio.Lock()

    async def reserve(self, client: Client, characters: int) -> Reserved:
        """Hold `characters` free that are going to be translated for `client`, so that many requests at once do not
        pass a quota together. They count once they are `spent`; `released` must follow in any case.

        Raises:
            TooManyRequests, QuotaExceeded: the client may not have so many now.
        """
        account = self._accounts.get(client.name)
        if account is None:
            account = self._accounts[client.name] = _Account()
        if not client.is_owner:
            await self._rates.characters(client, characters)
            await self._hold_to_quota(account, client, characters)
        account.reserved += characters
        return Reserved(account, client, characters)

    def spent(self, reserved: Reserved) -> None:
        """They were translated."""
        reserved.account.requests += 1
        reserved.account.spent += reserved.characters
        self._metrics.characters(reserved.client.kind, reserved.characters)

    def released(self, reserved: Reserved) -> None:
        """They need not be held free any more."""
        reserved.account.reserved -= reserved.characters

    def quota_of(self, client: Client) -> int | None:
        """Characters that it may have in a month; None: any number."""
        if client.key_id is None:
            return None
        return (self._per_month if client.characters_per_month is None else client.characters_per_month) or None

    async def statement(self, client: Client) -> Statement:
        """What `client` has had in this month, as far as this process knows.

        Raises:
            DatabaseDown: as `Database.reading`.
        """
        month = this_month()
        async with self._storing:  # what is stored and what waits are of one moment
            found = {day.day: day.used for day in await stored(self._database, month, client.name)}
        account = self._accounts.get(client.name, _Account())
        account.settle()
        for days in (account.waiting, account.leaving):
            for day, used in days.items():
                if day >= month:
                    found[day] = found.get(day, Used()).plus(used)
        by_day = [Day(day, client.name, used) for day, used in sorted(found.items())]
        return Statement(month, first_of_next_month(month), by_day, self.quota_of(client))

    async def run(self) -> None:
        """Store what was counted, every `STORE_EVERY_S`, until cancelled."""
        is_down = False
        while True:
            await asyncio.sleep(STORE_EVERY_S)
            try:
                await self.store()
            except DatabaseDown:
                if not is_down:
                    log.warning("usage cannot be stored: the database does not answer; it is kept until it does")
                is_down = True
            else:
                is_down = False

    async def close(self) -> None:
        """Store the last of it."""
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self.store()
        except (DatabaseDown, TimeoutError):
            log.error("the usage of the last moments could not be stored")

    async def store(self) -> None:
        """Store all that was counted until now.

        Raises:
            DatabaseDown: as `Database.writing`; it is stored the next time.
        """
        async with self._storing:
            for account in self._accounts.values():
                account.settle()
            leaving = {name: account for name, account in self._accounts.items() if account.waiting}
            if not leaving:
                return
            for account in leaving.values():
                account.waiting, account.leaving = {}, account.waiting
            try:
                months = await self._add(leaving)
            except BaseException:
                for account in leaving.values():
                    for day, used in account.leaving.items():
                        account.wait(day, used)
                    account.leaving = {}
                raise
            for name, account in leaving.items():
                account.leaving = {}
                account.month, account.stored, account.asked_at = this_month(), months.get(name, 0), time.monotonic()

    async def _add(self, accounts: dict[str, _Account]) -> dict[str, int]:
        """Add what is leaving to what is stored; the characters that each then has this month."""
        rows = [
            {"day": day, "client": name, **used._asdict()}
            for name, account in sorted(accounts.items())  # always in one order, or two processes wait for each other
            for day, used in sorted(account.leaving.items())
        ]
        async with self._database.writing() as session:
            await session.execute(_upsert(session), rows)
            return await _characters(session, accounts)

    async def _hold_to_quota(self, account: _Account, client: Client, characters: int) -> None:
        quota = self.quota_of(client)
        if quota is None:
            return
        if account.month != this_month() or time.monotonic() - account.asked_at > KNOWN_FOR_S:
            await self._load(account, client.name)
        left = quota - account.characters()
        if characters > left:
            self._metrics.limited("characters_per_month")
            raise QuotaExceeded(quota, max(0, left), seconds_left())

    async def _load(self, account: _Account, name: str) -> None:
        month, asked_at = this_month(), time.monotonic()
        known = account.stored if account.month == month else 0
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S), self._database.reading() as session:
                known = (await _characters(session, [name])).get(name, 0)
        except (DatabaseDown, TimeoutError):
            log.warning("what a key has had this month is not known: the database does not answer")
        if account.asked_at <= asked_at:  # else it was stored meanwhile, and is known better
            account.month, account.stored, account.asked_at = month, known, asked_at


async def _characters(session: AsyncSession, names: Iterable[str]) -> dict[str, int]:
    """Those of this month that are stored, by client."""
    counted = select(UsageDay.client, func.sum(UsageDay.characters)).where(
        UsageDay.client.in_(list(names)), UsageDay.day >= this_month()
    )
    rows: Sequence[Any] = (await session.execute(counted.group_by(UsageDay.client))).all()
    return {name: int(characters) for name, characters in rows}


def _upsert(session: AsyncSession) -> Any:
    """Adds to the row of a client and a day, or makes it."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    adding = insert(UsageDay)
    return adding.on_conflict_do_update(
        index_elements=[UsageDay.day, UsageDay.client],
        set_={
            "requests": UsageDay.requests + adding.excluded.requests,
            "characters": UsageDay.characters + adding.excluded.characters,
        },
    )

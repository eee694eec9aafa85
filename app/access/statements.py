"""What was used: as it is stored, summed up and told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import NamedTuple

from sqlalchemy import select

from app.access.months import first_of_next_month
from app.storage.db import Database
from app.storage.tables import UsageDay


class Used(NamedTuple):
    """What was translated."""

    requests: int = 0
    characters: int = 0

    def plus(self, other: Used) -> Used:
        """Both together."""
        return Used(self.requests + other.requests, self.characters + other.characters)


class Day(NamedTuple):
    """What one client has had on one day."""

    day: dt.date
    client: str
    used: Used


class Statement(NamedTuple):
    """What one client has had in a month, and may."""

    starts: dt.date
    ends: dt.date
    """The first day that is not of it."""
    days: Sequence[Day]
    quota: int | None
    """Characters; None: any number."""

    @property
    def used(self) -> Used:
        """In all."""
        return total(self.days)


async def stored(database: Database, month: dt.date, client: str | None = None) -> list[Day]:
    """What is stored of the month that begins at `month`, of one client or of all, by day.

    Raises:
        DatabaseDown: as `Database.reading`.
    """
    wanted = select(UsageDay).where(UsageDay.day >= month, UsageDay.day < first_of_next_month(month))
    if client is not None:
        wanted = wanted.where(UsageDay.client == client)
    async with database.reading() as session:
        rows = await session.scalars(wanted.order_by(UsageDay.day, UsageDay.client))
        return [Day(row.day, row.client, Used(row.requests, row.characters)) for row in rows]


def by_client(days: Iterable[Day]) -> list[tuple[str, Used]]:
    """Clients with what each has had on all `days`; most characters first."""
    sums: dict[str, Used] = {}
    for day in days:
        sums[day.client] = sums.get(day.client, Used()).plus(day.used)
    return sorted(sums.items(), key=lambda item: (-item[1].characters, item[0]))


def total(days: Iterable[Day]) -> Used:
    """Of all `days` together."""
    return reduce(Used.plus, (day.used for day in days), Used())

"""What `/v1/usage` answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import BaseModel, Field

from app.access.statements import Day, Statement, by_client


class Period(BaseModel):
    """A month, UTC."""

    start: Annotated[dt.date, Field(description="Its first day.")]
    end: Annotated[dt.date, Field(description="The first day after it.")]


class DayOut(BaseModel):
    """What was translated on one day."""

    day: dt.date
    requests: int
    characters: int

    @classmethod
    def of(cls, day: Day) -> Self:
        """`day`, for JSON."""
        return cls(day=day.day, **day.used._asdict())


class UsageOut(BaseModel):
    """What one client has had translated this month, and may have."""

    client: Annotated[str, Field(description="Id of its key, or `admin key`, or `local`.")]
    period: Period
    requests: int
    characters: int
    character_limit: Annotated[int | None, Field(description="Characters that it may have in a month; null: any.")]
    rates: Annotated[dict[str, str], Field(description="Rates that it is held to, by the names of their settings.")]
    days: Annotated[list[DayOut], Field(description="Those on which there was any, oldest first.")]

    @classmethod
    def of(cls, client: str, statement: Statement, rates: dict[str, str]) -> Self:
        """`statement`, for JSON."""
        return cls(
            client=client, period=Period(start=statement.starts, end=statement.ends), **statement.used._asdict(),
            character_limit=statement.quota, rates=rates, days=[DayOut.of(day) for day in statement.days],
        )  # fmt: skip


class ClientUsage(BaseModel):
    """What one of all clients has had translated in a month."""

    client: Annotated[str, Field(description="Id of a key, or `admin key`, `local`, `anonymous` (all together).")]
    requests: int
    characters: int


class AllUsageOut(BaseModel):
    """What all clients have had translated in a month."""

    period: Period
    clients: Annotated[list[ClientUsage], Field(description="Most characters first.")]

    @classmethod
    def of(cls, period: Period, days: Sequence[Day]) -> Self:
        """The sum of `days` for each client."""
        return cls(
            period=period, clients=[ClientUsage(client=name, **used._asdict()) for name, used in by_client(days)]
        )

"""Months, UTC, each by its first day."""

from __future__ import annotations

import datetime as dt

from app.errors import FieldError, InvalidRequest
from app.storage.tables import now


def month_of(text: str | None) -> dt.date:
    """The first day of a month such as `2026-11`; of the present one if that is None.

    Raises:
        InvalidRequest: there is no such month.
    """
    try:
        return dt.date.fromisoformat(f"{text}-01") if text is not None else this_month()
    except ValueError:
        raise InvalidRequest([FieldError("month", "must be a month such as 2026-11")]) from None


def first_of_month(day: dt.date) -> dt.date:
    """The first day of its month."""
    return day.replace(day=1)


def first_of_next_month(day: dt.date) -> dt.date:
    """The first day of the month after its own."""
    return first_of_month(first_of_month(day) + dt.timedelta(days=31))


def this_month() -> dt.date:
    """Its first day, UTC."""
    return first_of_month(now().date())


def seconds_left() -> int:
    """Of this month."""
    ends = dt.datetime.combine(first_of_next_month(now().date()), dt.time(), dt.UTC)
    return int((ends - now()).total_seconds()) + 1

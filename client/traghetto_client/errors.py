"""What can go wrong, and how an answer becomes an error.

TraghettoError
├── ConnectionFailed     no whole answer came
└── ApiError             the server, or a proxy before it, answered with an error
    ├── InvalidRequest       400, 413, 415, 422, 431: it must be changed; `errors` names the fields
    ├── NotAuthorised        401, 403: no key, a wrong one, or one that may not do this
    ├── TooManyRequests      429: later, or less of it
    └── Unavailable          502, 503, 504: later
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from traghetto_client.answers import read_as


class TraghettoError(Exception):
    """Base of all errors here."""


class ConnectionFailed(TraghettoError):
    """No whole answer came: nobody listens there, the connection broke, or it took too long."""


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field of a request, and the limit that it passes, if it is one."""

    field: str
    message: str
    limit: float | None = None


@dataclass(eq=False)
class ApiError(TraghettoError):
    """An answer that is an error: problem details (RFC 9457), or what a proxy says in their place."""

    status: int
    title: str
    detail: str
    type: str = ""
    """The last part of the problem's type, such as `overloaded`; empty if it is no problem of the server's."""
    errors: tuple[FieldError, ...] = ()
    retry_after_s: float | None = None

    def __str__(self) -> str:
        return f"{self.status} {self.title}: {self.detail}"


class InvalidRequest(ApiError):
    """The request must be changed; `errors` names the fields."""


class NotAuthorised(ApiError):
    """No key, a wrong one, or one that may not do this."""


class TooManyRequests(ApiError):
    """The server has too much to do, or this client has had as much as it may."""


class Unavailable(ApiError):
    """The server starts, goes down, or does not come to it in time."""


KINDS: dict[int, type[ApiError]] = {
    **dict.fromkeys((400, 413, 415, 422, 431), InvalidRequest),
    **dict.fromkeys((401, 403), NotAuthorised),
    429: TooManyRequests,
    **dict.fromkeys((502, 503, 504), Unavailable),
}


def error_of(response: httpx.Response, data: Any) -> ApiError:
    """What `response` says, whose body is `data`, or None where it is not JSON."""
    problem = data if isinstance(data, dict) and "title" in data else {}
    said = f"this is no answer of Traghetto's: {' '.join(response.text[:2000].split())[:200] or 'it is empty'}"
    if response.is_redirect:
        said = f"it is at {response.headers.get('location')}; give the address that answers as base_url"
    errors: tuple[FieldError, ...] = ()
    with contextlib.suppress(KeyError, TypeError):
        errors = read_as(tuple[FieldError, ...], problem.get("errors"))
    return KINDS.get(response.status_code, ApiError)(
        response.status_code,
        str(problem.get("title") or response.reason_phrase or "Error"),
        str(problem.get("detail") or said),
        str(problem.get("type", "")).rpartition("/")[2],
        errors,
        retry_after_s(response.headers.get("retry-after", ""), time.time()),
    )


def retry_after_s(value: str, now: float) -> float | None:
    """What a `Retry-After` asks for, in seconds or as a date (RFC 9110, 10.2.3); None if it says nothing sensible."""
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)

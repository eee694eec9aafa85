"""Everything `app` raises on purpose. `app.http.kinds` has the one table that turns it into an answer.

AppError
├── SettingsError            the operator's settings cannot be used; never reaches a client
├── RequestError             the client must change the request
│   ├── MalformedJson            the body is not JSON
│   ├── BodyTooLarge             more bytes than allowed
│   ├── BodyTooSlow              not all of it came in time
│   ├── HeadTooLarge             a head with more bytes than allowed
│   ├── UnsupportedBody          of a type that is not read here
│   ├── InvalidRequest           fields with wrong values; carries one `FieldError` each
│   ├── PairUnavailable          no model for this direction
│   ├── NotAuthorised            a route that needs a key, without a right one
│   │   └── AdminClosed          ... or on a server that has no key
│   ├── Forbidden                the client may not do this, whoever it is
│   ├── NotFound                 there is no such thing, or it is not this client's
│   ├── LimitReached             as much is kept as may be
│   └── Conflict                 it is not in the state that this needs
└── ServiceError             the same request may succeed later, or elsewhere
    ├── Overloaded               the queue is full
    ├── TooManyRequests          this client asks more often, or for more, than it may
    ├── QuotaExceeded            its key has had as much as it may within a month
    ├── DeadlineExceeded         not answered in time
    ├── NotReady                 the models are still loading, or could not be loaded
    ├── ShuttingDown             the server is going down
    ├── TooManyConnections       there are as many as it may have
    ├── Busy                     as many ask for this at once as may
    ├── RetrainingFailed         a retraining could not begin
    ├── DatabaseDown             the database does not answer
    ├── StoreDown                the store that servers share does not answer
    └── TranslationFailed        the model failed on this text
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from model.errors import ModelError


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a request."""

    field: str
    """Where it is, such as `text[3]`."""
    message: str
    limit: float | None = None
    """The bound that was passed, if there is one."""


class AppError(Exception):
    """Base of all errors in `app`; its text is written for the person who reads it."""


class SettingsError(AppError):
    """The settings contradict themselves, are unknown, or are not safe."""


class RequestError(AppError):
    """The client must change the request."""


class MalformedJson(RequestError):
    """The body is not JSON as RFC 8259 defines it."""


class BodyTooLarge(RequestError):
    """More bytes than allowed."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The request body is larger than {limit_bytes} bytes.")
        self.limit_bytes = limit_bytes


class BodyTooSlow(RequestError):
    """The request body did not come in time."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"The request body had not arrived after {limit_s:g} s.")


class HeadTooLarge(RequestError):
    """The head of the request, its address and header fields, has more bytes than allowed."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The head of the request is larger than {limit_bytes} bytes.")


class UnsupportedBody(RequestError):
    """The body is of a type that is not read here, such as a form."""

    def __init__(self, declared: str, wanted: str) -> None:
        """`declared` is the content type of the body, as it was sent; `wanted` says what to send."""
        named = f"is declared as {declared[:80]!r}" if declared else "has no Content-Type"
        super().__init__(f"The body {named}. {wanted}")


class InvalidRequest(RequestError):
    """Fields with wrong values."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(" ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = tuple(errors)


class PairUnavailable(RequestError):
    """There is no model for this direction."""

    def __init__(self, pair: str, available: Sequence[str]) -> None:
        super().__init__(f"This server has no model for {pair}; it has: {', '.join(sorted(available)) or 'none'}.")


class NotAuthorised(RequestError):
    """A route that needs a key, without a right one."""


class AdminClosed(NotAuthorised):
    """An administration route on a server that has no key."""


class Forbidden(RequestError):
    """The client may not do this: its key has not the scope, or the request could come from a foreign web page."""


class NotFound(RequestError):
    """There is no such thing, or it is not this client's."""


class LimitReached(RequestError):
    """As much is kept as may be: somebody must review or delete some of it first. `limit` names the setting."""

    def __init__(self, setting: str, most: int, of_what: str) -> None:
        """`of_what`: what there may be `most` of, such as `pending corrections of this sentence`."""
        super().__init__(f"There are {most} {of_what} already, as many as may be ({setting}). Nothing was stored.")
        self.setting = setting


class Conflict(RequestError):
    """It is not in the state that this needs."""


class ServiceError(AppError):
    """The same request may succeed later."""

    retry_after_s: int | None = None


class Overloaded(ServiceError):
    """The queue is full."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too much text is waiting already. Try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class TooManyRequests(ServiceError):
    """This client asks more often, or for more text, than it may within a while. `limit` names the setting."""

    def __init__(self, setting: str, rate: str, retry_after_s: int) -> None:
        """`rate`: what is allowed, such as `600 requests from one address within 1 minute`."""
        super().__init__(f"At most {rate} are allowed ({setting}). Try again in {retry_after_s} s.")
        self.setting = setting
        self.retry_after_s = retry_after_s


class QuotaExceeded(ServiceError):
    """The key has had as many characters translated as it may within a month."""

    def __init__(self, most: int, left: int, retry_after_s: int) -> None:
        """`left`: how many of those `most` are left, fewer than the request has."""
        super().__init__(f"This key may translate {most} characters in a month (UTC); {left} are left.")
        self.setting = "characters_per_month"
        self.retry_after_s = retry_after_s


class DeadlineExceeded(ServiceError):
    """Not answered in time."""

    def __init__(self, deadline_s: float) -> None:
        super().__init__(f"The translation was not ready within {deadline_s:g} s.")
        self.retry_after_s = 1


class NotReady(ServiceError):
    """The models are still loading, or could not be loaded."""

    retry_after_s = 2


class ShuttingDown(ServiceError):
    """The server is going down."""

    retry_after_s = 5

    def __init__(self) -> None:
        super().__init__("The server is shutting down.")


class TooManyConnections(ServiceError):
    """The server has as many connections as it may have."""

    retry_after_s = 2

    def __init__(self) -> None:
        super().__init__("The server has too many connections already. Try again soon.")


class Busy(ServiceError):
    """As many clients ask for this at once as may."""

    def __init__(self, most: int, of_what: str, retry_after_s: int) -> None:
        """`of_what`: what there may be `most` of at once, such as `comparisons`."""
        super().__init__(f"There are {most} {of_what} already, as many as may be at once. Try again soon.")
        self.retry_after_s = retry_after_s


class RetrainingFailed(ServiceError):
    """A retraining could not begin, by a fault of the server."""

    def __init__(self) -> None:
        super().__init__("The retraining could not begin; the server's log says why.")


class DatabaseDown(ServiceError):
    """The database does not answer."""

    retry_after_s = 2

    def __init__(self) -> None:
        super().__init__("The database does not answer. Nothing was stored; translation goes on without it.")


class StoreDown(ServiceError):
    """The store of `models_url` does not answer."""

    retry_after_s = 5


class TranslationFailed(ServiceError):
    """The model failed on this text."""


def told(error: BaseException) -> str:
    """What a client may read of `error`. Logs have its full text.

    Ours are written for people, and those of `model` keep apart the places on this machine that they tell of. The text
    of anything else may hold anything, so that only its kind is told.
    """
    if isinstance(error, ModelError):
        return error.problem
    if isinstance(error, AppError):
        return str(error)
    return f"An unforeseen {type(error).__name__}; the log says more."


def field_errors(problems: Iterable[Any]) -> list[FieldError]:
    """One error for each field, from pydantic's. A field that may be a string or a list is told once, not for each."""
    found: dict[str, FieldError] = {}
    for problem in problems:
        location = problem["loc"]
        field = _field_name(location)
        if len(location) > 1 and location[1] == "str":
            found[field] = FieldError(field, "must be a string or a list of strings")
            continue
        if len(location) > 2:  # an element of the list: the list itself was right
            found.pop(_field_name(location[:1]), None)
        if field not in found:
            found[field] = FieldError(field, _message(problem))
    return list(found.values())


def _field_name(location: tuple[Any, ...]) -> str:
    name = str(location[0]) if location else "body"
    return name + "".join(f"[{part}]" for part in location[1:] if isinstance(part, int))


def _message(problem: Any) -> str:
    message = str(problem["msg"])
    replaced = {
        "missing": "is required",
        "extra_forbidden": "is not a known field",
        "string_type": "must be a string",
    }
    return replaced.get(problem["type"], message.replace("Input should be", "must be", 1))

"""How each kind of error is answered: the one table of statuses and titles"""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import (
    AdminClosed,
    AppError,
    BodyTooLarge,
    BodyTooSlow,
    Busy,
    Conflict,
    DatabaseDown,
    DeadlineExceeded,
    Forbidden,
    HeadTooLarge,
    InvalidRequest,
    LimitReached,
    MalformedJson,
    NotAuthorised,
    NotFound,
    NotReady,
    Overloaded,
    PairUnavailable,
    QuotaExceeded,
    RetrainingFailed,
    ShuttingDown,
    StoreDown,
    TooManyConnections,
    TooManyRequests,
    TranslationFailed,
    UnsupportedBody,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """How one error type is answered: RFC 9457's status, title, and the last part of its type."""

    status: int
    slug: str
    title: str


KINDS: dict[type[AppError], Kind] = {
    MalformedJson: Kind(400, "malformed-json", "The body is not valid JSON"),
    BodyTooLarge: Kind(413, "body-too-large", "The request body is too large"),
    BodyTooSlow: Kind(408, "body-too-slow", "The request body did not arrive"),
    HeadTooLarge: Kind(431, "head-too-large", "The head of the request is too large"),
    UnsupportedBody: Kind(415, "unsupported-body", "Bodies of this type are not read here"),
    InvalidRequest: Kind(422, "invalid-request", "A field of the request is wrong"),
    PairUnavailable: Kind(422, "pair-unavailable", "This direction is not served"),
    NotAuthorised: Kind(401, "not-authorised", "A valid key is needed"),
    AdminClosed: Kind(403, "admin-closed", "Administration is switched off"),
    Forbidden: Kind(403, "forbidden", "This client may not do that"),
    NotFound: Kind(404, "not-found", "There is no such thing here"),
    Conflict: Kind(409, "conflict", "It is not in the state that this needs"),
    LimitReached: Kind(429, "limit-reached", "As much is kept as may be"),
    Overloaded: Kind(429, "overloaded", "The server has too much to do"),
    TooManyRequests: Kind(429, "too-many-requests", "This client asks for too much"),
    QuotaExceeded: Kind(429, "quota-exceeded", "The quota of this key is used up"),
    DeadlineExceeded: Kind(503, "deadline-exceeded", "The answer was not ready in time"),
    NotReady: Kind(503, "not-ready", "The models are not ready"),
    ShuttingDown: Kind(503, "shutting-down", "The server is shutting down"),
    TooManyConnections: Kind(503, "too-many-connections", "The server has too many connections"),
    Busy: Kind(429, "busy", "As many ask for this as may"),
    RetrainingFailed: Kind(500, "retraining-failed", "The retraining could not begin"),
    DatabaseDown: Kind(503, "database-down", "The database does not answer"),
    StoreDown: Kind(503, "store-down", "The store of models does not answer"),
    TranslationFailed: Kind(500, "translation-failed", "The translation failed"),
}


def kind_of(error: AppError) -> Kind:
    """The entry of the nearest listed ancestor of `error`; anything else is a plain 500."""
    for ancestor in type(error).__mro__:
        if ancestor in KINDS:
            return KINDS[ancestor]
    return Kind(500, "internal", "Internal server error")

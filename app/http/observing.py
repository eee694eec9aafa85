"""What is told of each request outside of its answer: numbers, a line in the log, a trace; by its id."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.types import Scope

from app.logs import request_id
from app.metrics import UNMATCHED, Metrics
from app.traces import Begun, Traces

if TYPE_CHECKING:
    from opentelemetry.trace import Span

log = logging.getLogger("traghetto.requests")

HEADER = b"x-request-id"
GIVEN = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
"""An id that a client or proxy may choose: nothing that could be taken for more than that in a log."""
ASKED_AS = "asked as"
"""Key of a scope: its method, where it is answered as another."""
OTHER = "other"
"""Dialect of what belongs to none."""
MAX_PATH_CHARS = 200


class Observed:
    """One request, and how it was answered."""

    __slots__ = ("began", "begun", "id", "route", "status")

    def __init__(self, id: str) -> None:
        self.id = id
        self.began = time.perf_counter()
        self.begun: Begun | None = None
        """Its span, where there are traces."""
        self.route: str | None = None
        """None: whatever FastAPI found."""
        self.status = 500


class Observer:
    """Watches all requests of an app."""

    def __init__(self, metrics: Metrics, traces: Traces, dialects: Mapping[str, str], *, access_log: bool) -> None:
        """`dialects`: by path, what a client speaks there."""
        self._metrics = metrics
        self._traces = traces
        self._dialects = dialects
        self._access_log = access_log

    def begin(self, scope: Scope) -> Observed:
        """A request is going to be answered; `end` must follow."""
        observed = Observed(_id(scope))
        request_id.set(observed.id)  # for good: each request has a task of its own
        if self._traces.are_on:
            observed.begun = self._traces.begin(scope["method"], _decoded(scope))
        return observed

    def end(self, observed: Observed, scope: Scope) -> None:
        """It is answered, or given up."""
        seconds = time.perf_counter() - observed.began
        route = observed.route or _route(scope)
        dialect = self._dialects.get(route) or ("v1" if route.startswith("/v1/") else OTHER)
        self._metrics.request(dialect, route, observed.status, seconds)
        if self._access_log:
            _tell(scope, observed.status, seconds, dialect)
        if observed.begun is not None:
            _describe(observed.begun.span, _method(scope), route, observed, dialect)
            self._traces.end(observed.begun)


def _id(scope: Scope) -> str:
    """What the client or a proxy calls the request, or a new name."""
    for name, value in scope["headers"]:
        if name == HEADER:
            return value.decode("ascii") if GIVEN.fullmatch(value) else _new_id()
    return _new_id()


def _method(scope: Scope) -> str:
    return str(scope.get(ASKED_AS, scope["method"]))


def _new_id() -> str:
    return f"{random.getrandbits(96):024x}"  # need not be hard to guess, and is not, at a twentieth of the time


def _route(scope: Scope) -> str:
    """The route's pattern, never the address that was asked for."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else UNMATCHED


def _tell(scope: Scope, status: int, seconds: float, dialect: str) -> None:
    """Without what follows the `?`, which may be a text, or the signature of a link."""
    client = scope.get("client")
    fields: dict[str, Any] = {
        "method": _method(scope),
        "path": scope["path"][:MAX_PATH_CHARS],
        "status": status,
        "milliseconds": round(1000 * seconds, 2),
        "dialect": dialect,
        "address": client[0] if client else "",
    }
    log.info("%s %s %s %d %.2f ms", fields["address"], fields["method"], ascii(fields["path"])[1:-1], status,
             fields["milliseconds"], extra=fields)  # fmt: skip


def _decoded(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _describe(span: Span, method: str, route: str, observed: Observed, dialect: str) -> None:
    """By the names of OpenTelemetry's semantic conventions for HTTP."""
    span.update_name(f"{method} {route}")
    span.set_attributes(
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": observed.status,
            "traghetto.dialect": dialect,
            "traghetto.request_id": observed.id,
        }
    )
    if observed.status >= 500:
        from opentelemetry.trace import StatusCode

        span.set_status(StatusCode.ERROR)

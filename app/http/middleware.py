"""The outermost layer, plain ASGI: has requests observed, bounds bodies while they are read, adds safe headers, answers
HEAD wherever there is GET.

It also answers the busiest route itself. FastAPI's way to an endpoint (telemetry, routers, exit stacks) was measured
at 150 of the 270 microseconds that the event loop spent on a request of one sentence; at thousands of requests a
second that is time the network does not get. The route is still registered with FastAPI, which describes it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError, BodyTooLarge, BodyTooSlow, HeadTooLarge, TooManyConnections
from app.http.connections import CROWDED, TOO_LARGE
from app.http.observing import ASKED_AS, HEADER, Observed, Observer
from app.http.problems import CLIENT_CLOSED_REQUEST, crash_response, problem_response
from app.timers import Timers

log = logging.getLogger("traghetto.http")

CSP = b"content-security-policy"
SAFE_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
]
"""Of every answer. What is told of TLS (`Strict-Transport-Security`) is for the proxy that speaks it."""
NOTHING_ALLOWED = (CSP, b"default-src 'none'; frame-ancestors 'none'")
"""Of every answer that has no policy of its own, as the pages have."""

Handler = Callable[[Request], Awaitable[Response]]


BODY_TIMEOUT_S = 20.0
LIVE_PATH = "/health/live"
"""Answered however many connections there are: a server with too much to do must not be restarted for it."""


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """What a request body may be."""

    bytes: int
    seconds: float
    """For all of it to arrive, from the end of the request's head; bytes that trickle in gain no time."""


@dataclass(frozen=True)
class Paths:
    """What is special about some."""

    express: Mapping[str, Handler]
    """Handlers of POST routes that are answered past FastAPI."""
    larger: Mapping[str, BodyLimit]
    """Limits of bodies that are not those of all."""
    tellers: Mapping[str, Callable[[AppError], Response]]
    """How errors are told that are not problem details."""


class Edge:
    """Wraps the whole app."""

    def __init__(
        self,
        app: ASGIApp,
        observer: Observer,
        body_limit: BodyLimit,
        paths: Paths,
        around: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    ) -> None:
        """`around` is given what answers, and gives what does in its place."""
        self._app = app
        self._inner = around(self._dispatch)
        self._observer = observer
        self._body_limit = body_limit
        self._paths = paths
        self._timers = Timers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] == "HEAD":
            await _answer_head(self._answer, scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        observed = self._observer.begin(scope)
        try:
            await self._answer_observed(observed, scope, receive, send)
        finally:
            self._observer.end(observed, scope)

    async def _answer_observed(self, observed: Observed, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                observed.status = message["status"]
                headers = message["headers"]
                headers.append((HEADER, observed.id.encode()))
                if CSP not in [name for name, _ in headers]:
                    headers.append(NOTHING_ALLOWED)
                headers.extend(SAFE_HEADERS)
            await send(message)

        limit = self._paths.larger.get(scope["path"], self._body_limit)
        refusal = _refusal(scope, limit)
        if scope["method"] == "POST" and scope["path"] in self._paths.express:
            observed.route = scope["path"]
        if refusal is not None:
            tell = self._paths.tellers.get(scope["path"], problem_response)
            await tell(refusal)(scope, receive, send_safely)
        else:
            await self._inner(scope, _bounded(receive, limit, self._timers), send_safely)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self._paths.express.get(scope["path"]) if scope["method"] == "POST" else None
        if handler is None:
            await self._app(scope, receive, send)
        else:
            response = await _handled(handler, Request(scope, receive))
            await response(scope, receive, send)


async def _answer_head(get: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """The head of what `get` answers. Then it is stopped: a body that nobody is sent may be all corrections."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b""})
            answering.cancel()
            await asyncio.Event().wait()  # until that arrives, which may be a task of its own away

    answering = asyncio.ensure_future(get({**scope, "method": "GET", ASKED_AS: "HEAD"}, receive, send_head))
    try:
        await asyncio.wait((answering,))
    finally:
        answering.cancel()
    if not answering.cancelled():
        answering.result()  # raises what it raised


def _refusal(scope: Scope, limit: BodyLimit) -> AppError | None:
    """Why a request is not even looked at."""
    state = scope.get("state", {})
    if state.get(CROWDED) and scope["path"] != LIVE_PATH:
        return TooManyConnections()
    if TOO_LARGE in state:
        return HeadTooLarge(state[TOO_LARGE])
    return BodyTooLarge(limit.bytes) if _declared_bytes(scope) > limit.bytes else None


def _bounded(receive: Receive, limit: BodyLimit, timers: Timers) -> Receive:
    """`receive`, until more than the allowed bytes or seconds have come, or the whole body."""
    left, more = limit.bytes, True
    ends = time.monotonic() + limit.seconds

    async def receive_bounded() -> Message:
        nonlocal left, more
        if not more:  # only the end of the connection can come now, whenever that is
            return await receive()
        try:
            async with timers.timeout(ends - time.monotonic()):
                message = await receive()
        except TimeoutError:
            raise BodyTooSlow(limit.seconds) from None
        if message["type"] == "http.request":
            left -= len(message.get("body", b""))
            if left < 0:
                raise BodyTooLarge(limit.bytes)
        more = bool(message.get("more_body", False))
        return message

    return receive_bounded


async def _handled(handler: Handler, request: Request) -> Response:
    """The handler's answer, or the problem that it raised."""
    try:
        return await handler(request)
    except AppError as error:
        return problem_response(error)
    except ClientDisconnect:  # while its body was read
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    except Exception:
        log.exception("a request failed by a fault of the server")
        return crash_response()


def _declared_bytes(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0

"""In Ray's proxies: a request whose replica died before it answered goes to another one.

Ray has its proxies close such a request without a word, and callers would read `500 Internal Server Error`. What only
reads or translates is asked once more; what changes something may have done so, and its caller is told to look and to
come again. So is everybody whom Ray would answer itself, such as when no replica is there: in the words of the dialect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import NotFound, NotReady
from app.http.problems import problem_response
from app.main import TELLERS
from app.settings import load_settings

ASKED_AGAIN = frozenset((
    "/v1/translate", "/translate", "/detect", "/v2/translate", "/language/translate/v2",
    "/language/translate/v2/detect", "/language/translate/v2/languages",
))  # fmt: skip
"""Paths whose POST changes nothing; so does no GET."""
TRIES = 2
"""A request that kills who reads it kills so many."""
KEPT_BYTES = 2**20
"""Of a body, to send it again; a request with a longer one is tried once."""
MARGIN_S = 5.0
"""Beyond the time after which a replica itself would tell that it is too late."""
OURS = b"x-content-type-options"
"""A header of each answer of a replica, and of none of Ray's."""
FORWARDED = b"x-forwarded-for"
"""What an ingress adds, and Prometheus beside Ray does not: people are not to read the numbers."""
RAYS_PATHS, RAYS_TIMEOUT = "/-/", b"x-request-timeout-seconds"
LOST = "The replica that had this request is no more. Whether it was carried out is not known: look, then try again."
NOBODY = "No replica answers now. Try again in a few seconds."


def middlewares() -> list[Middleware]:
    """What Ray calls, named by RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH."""
    return [Middleware(AskAgain, deadline_s=load_settings().deadline_s + MARGIN_S)]


class AskAgain:
    """Ray's proxy on one node, which asks other replicas."""

    def __init__(self, app: ASGIApp, deadline_s: float) -> None:
        """`deadline_s`: for what may be asked again, until its answer begins."""
        self._app, self._deadline_s = app, deadline_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, again where that may be, until a replica has begun to answer."""
        if scope["type"] != "http" or scope["path"].startswith(RAYS_PATHS):
            await self._app(scope, receive, send)
        elif scope["path"] == "/metrics" and any(name == FORWARDED for name, _ in scope["headers"]):
            await problem_response(NotFound("Numbers are for those inside; see docs/cluster.md."))(scope, receive, send)
        elif (problem := await self._asked(scope, _Body(receive), _Answer(send))) is not None:
            await TELLERS.get(scope["path"], problem_response)(NotReady(problem))(scope, receive, send)

    async def _asked(self, scope: Scope, body: _Body, answer: _Answer) -> str | None:
        """What to tell the client, if nobody has answered."""
        may_repeat = scope["method"] in ("GET", "HEAD") or scope["path"] in ASKED_AGAIN
        try:
            async with asyncio.timeout(self._deadline_s if may_repeat else None) as waiting:
                answer.waiting = waiting
                for _ in range(TRIES if may_repeat else 1):
                    await self._app(_passed_on(scope), body.again(), answer.send)
                    if answer.begun or body.client_is_gone:
                        return None
                    if answer.is_rays:
                        return NOBODY
                    if not body.is_kept:
                        break
        except TimeoutError:
            return NOBODY
        return LOST


def _passed_on(scope: Scope) -> Scope:
    """A copy, which may be changed, without what only Ray would understand."""
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != RAYS_TIMEOUT]}


class _Answer:
    """What goes back: all that a replica says, nothing that Ray says."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = self.is_rays = False
        self.waiting: asyncio.Timeout | None = None
        """Ends when the answer begins."""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.is_rays = all(name.lower() != OURS for name, _ in message["headers"])
        if self.is_rays:
            return
        if not self.begun and self.waiting is not None:
            self.waiting.reschedule(None)
        self.begun = True
        await self._send(message)


class _Body:
    """A body that can be read several times, unless it is long."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self._size = 0
        self.client_is_gone = False

    @property
    def is_kept(self) -> bool:
        return self._size <= KEPT_BYTES

    def again(self) -> Callable[[], Awaitable[Message]]:
        """A reader from the beginning on."""
        kept = list(self._messages)

        async def receive() -> Message:
            if kept:
                return kept.pop(0)
            message = await self._receive()
            self.client_is_gone |= message["type"] == "http.disconnect"
            self._size += len(message.get("body", b""))
            if self.is_kept:
                self._messages.append(message)
            return message

        return receive

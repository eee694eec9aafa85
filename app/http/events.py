"""Server-sent events (WHATWG HTML, section 9.2): a retraining as it goes on, for a page or a script that watches."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from fastapi import Request
from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic_core import to_json

from app.http.connections import ENDING
from app.http.deps import Services
from app.retraining.following import Told

HEARTBEAT_S = 10.0
"""A comment at least so often keeps proxies from ending a connection, and finds out whether the client is there."""
RETRY_MS = 2000
"""When a client that lost the connection comes again."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""The second asks nginx to pass each event on at once."""


def event_stream(told: AsyncGenerator[Told | None]) -> EventSourceResponse:
    """The answer that sends what `told` gives, as it comes."""
    return EventSourceResponse(_encoded(told), headers=HEADERS)


async def _encoded(told: AsyncGenerator[Told | None]) -> AsyncIterator[bytes]:
    yield format_sse_event(retry=RETRY_MS)
    sent = time.monotonic()
    async with aclosing(told):
        async for one in told:
            if one is not None:
                facts = {name: value for name, value in one.event.items() if name != "event"}
                yield format_sse_event(event=one.event["event"], data_str=to_json(facts).decode(), id=str(one.number))
            elif time.monotonic() - sent >= HEARTBEAT_S:
                yield format_sse_event(comment="still here")
            else:
                continue
            sent = time.monotonic()


def going_down(request: Request, services: Services) -> Callable[[], bool]:
    """Whether the server waits for the end of this answer, so as to go down itself."""
    return lambda: bool(request.scope.get("state", {}).get(ENDING)) or services.engine.state == "draining"

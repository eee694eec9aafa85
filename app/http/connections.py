"""One connection of a client: bounds what uvicorn leaves open, and says in our own words what uvicorn refuses.

uvicorn closes a connection that is idle after an answer. Here, besides: one that does not send a whole request head in
time, however its bytes trickle, and one whose client does not take an answer. `app.http.middleware` bounds bodies.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.http.problems import bad_request_response
from app.timers import Timer, Timers

log = logging.getLogger("traghetto.http")

HEAD_TIMEOUT_S = 10.0
"""For the whole head of a request, from the opening of the connection or the first byte after an answer."""
CROWDED_HEAD_TIMEOUT_S = 1.0
"""... on a connection that will only be told that there are too many."""
TAKE_TIMEOUT_S = 60.0
"""For a client to take what was written, before more is; and what is left when the connection is to close."""
CROWDED = "crowded"
"""Key of a request's `state`: it came by a connection beyond the limit."""
CONTINUE = b"HTTP/1.1 100 "
"""How an interim answer begins, after which a client sends its body."""
ENDING = "ending"
"""Key of a request's `state`: the server is going down, and waits only for the answers that it has begun."""


class _Loop:
    """What a connection needs of the event loop; its timers cost little. One for all connections of a server."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.create_task = loop.create_task
        self.call_later = Timers().call_later


class _Joined:
    """What an answer is written to: its head waits for the first of its body, which always follows.

    uvloop hands each write to the system at once. Two of them woke the client twice, and took a fifth of the loop's
    time.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None
        """None while nothing was written; empty when it was sent."""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Write, or keep what is the head."""
        if self._head is not None:
            self._transport.write(self._head + data)
            self._head = b""
        elif data.startswith(CONTINUE):
            self._transport.write(data)
        else:
            self._head = data

    def close(self) -> None:
        """Write what was kept, and close."""
        if self._head:
            self.write(b"")
        self._transport.close()


class Connection(HttpToolsProtocol):
    """What `uvicorn.Config` is given as `http`. `limit_concurrency` counts connections here, and nothing else."""

    head_timeout_s = HEAD_TIMEOUT_S
    take_timeout_s = TAKE_TIMEOUT_S

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._most, self.limit_concurrency = self.limit_concurrency, None  # uvicorn would refuse in plain text
        self._is_extra = False
        """Whether it is one too many: there were as many as may be when it came, and still are."""
        self._head_timer: Timer | None = None
        self._take_timer: Timer | None = None
        of_server = vars(self.server_state)
        if "loop" not in of_server:
            of_server["loop"] = _Loop(self.loop)
        self.loop = self._timers = of_server["loop"]  # uvicorn makes its own timers and tasks by it

    @property
    def _is_crowded(self) -> bool:
        return self._most is not None and len(self.connections) > self._most

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._is_extra = self._is_crowded  # those that were there before must not suffer from it
        self._expect_head(CROWDED_HEAD_TIMEOUT_S if self._is_extra else self.head_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)
        self._stop_take_timer()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        is_answered = self.cycle is None or self.cycle.response_complete
        if is_answered and self._head_timer is None and not self.transport.is_closing():
            self._expect_head(self.head_timeout_s)  # a part of a head, or the rest of a body that nobody read

    def on_headers_complete(self) -> None:
        self._stop_head_timer()
        self._is_extra = self._is_extra and self._is_crowded
        if self._is_extra:
            self.scope["state"][CROWDED] = True
        super().on_headers_complete()
        if self.scope["method"] != "HEAD":
            self.cycle.transport = _Joined(self.transport)  # type: ignore[assignment]

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._expect_taking()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_taking()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop_take_timer()

    def shutdown(self) -> None:
        super().shutdown()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.scope["state"][ENDING] = True  # what would go on for hours must end now

    def timeout_keep_alive_handler(self) -> None:
        self._close()

    def send_400_response(self, msg: str) -> None:
        response = bad_request_response(msg)
        headers = [*self.server_state.default_headers, *response.raw_headers]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[response.status_code] + lines + b"\r\n" + bytes(response.body))
        self._close()

    def _expect_head(self, timeout_s: float) -> None:
        self._head_timer = self._timers.call_later(timeout_s, self._close)

    def _expect_taking(self) -> None:
        if self._take_timer is None and self in self.connections:  # else it is lost already
            self._take_timer = self._timers.call_later(self.take_timeout_s, self._break)

    def _close(self) -> None:
        """Close when what was written is taken."""
        if not self.transport.is_closing():
            self.transport.close()
        self._expect_taking()

    def _break(self) -> None:
        log.info("a connection is broken off: its client takes nothing")
        self.transport.abort()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_take_timer(self) -> None:
        if self._take_timer is not None:
            self._take_timer.cancel()
            self._take_timer = None

"""One connection of a client: bounds what uvicorn leaves open, and says in our own words what uvicorn refuses.

uvicorn closes a connection that is idle after an answer. Here, besides: one that does not send a whole request head in
time, however its bytes trickle, and one whose client does not take an answer. `app.http.middleware` bounds bodies.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.errors import HeadTooLarge
from app.http.problems import bad_request_response, problem_response
from app.timers import Timer, Timers

log = logging.getLogger("traghetto.http")

HEAD_TIMEOUT_S = 10.0
"""For the whole head of a request, from the opening of the connection or the first byte after an answer."""
DEFAULT_HEAD_BYTES = 65_536
CROWDED_HEAD_TIMEOUT_S = 1.0
"""... on a connection that will only be told that there are too many."""
TAKE_TIMEOUT_S = 60.0
"""For a client to take what was written, before more is; and what is left when the connection is to close."""
LINGER_S = 2.0
"""How long the rest of a body is taken that nobody reads, before the connection is closed."""
CHUNK_OVERHEAD = 16
"""Bytes that may come for each byte of a body: a chunk of one byte has five more."""
CROWDED = "crowded"
"""Key of a request's `state`: it came by a connection beyond the limit."""
TOO_LARGE = "too large"
"""Key of a request's `state`: its head has more bytes than this, which it may have."""
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

    def __init__(self, transport: asyncio.Transport, finish: Callable[[], None]) -> None:
        self._transport, self._finish = transport, finish
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
        """Write what was kept, and finish."""
        if self._head:
            self.write(b"")
        self._finish()


class Connection(HttpToolsProtocol):
    """What `uvicorn.Config` is given as `http`. `limit_concurrency` counts connections here, and nothing else;
    `h11_max_incomplete_event_size` bounds heads of requests, as it does where uvicorn reads by h11."""

    head_timeout_s = HEAD_TIMEOUT_S
    take_timeout_s = TAKE_TIMEOUT_S

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._most, self.limit_concurrency = self.limit_concurrency, None  # uvicorn would refuse in plain text
        self._is_extra = False
        """Whether it is one too many: there were as many as may be when it came, and still are."""
        self._most_head_bytes = self.config.h11_max_incomplete_event_size or DEFAULT_HEAD_BYTES
        self._in_head = self._in_body = False
        """What is being read; neither between requests."""
        self._lingers = False
        """The answer is written, and nothing more will be."""
        self._head_bytes = 0
        """Of a head that is not complete yet."""
        self._body_bytes = self._other_bytes = 0
        """Of the request whose head was complete last: what its body has, and all that came for it."""
        self._head_timer: Timer | None = None
        self._take_timer: Timer | None = None
        of_server = vars(self.server_state)
        if "loop" not in of_server:
            of_server["loop"] = _Loop(self.loop)
        self.loop = self._timers = of_server["loop"]  # uvicorn makes its own timers and tasks by it
        self._silent: dict[Connection, None] = of_server.setdefault("silent", {})
        """Those that have sent no whole head so far, oldest first."""

    @property
    def _is_crowded(self) -> bool:
        return self._most is not None and len(self.connections) > self._most

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._is_crowded:
            self._make_room()
        self._silent[self] = None
        self._is_extra = self._is_crowded  # those that were there before must not suffer from it
        self._expect_head(CROWDED_HEAD_TIMEOUT_S if self._is_extra else self.head_timeout_s)

    def _make_room(self) -> None:
        """Close the oldest connection that has asked for nothing yet: who only opens them keeps nobody out."""
        oldest = next(iter(self._silent), None)
        if oldest is not None:
            del self._silent[oldest]
            oldest.transport.abort()
            self.connections.discard(oldest)

    def connection_lost(self, exc: Exception | None) -> None:
        self._silent.pop(self, None)
        self._stop_head_timer()
        super().connection_lost(exc)
        self._stop_take_timer()

    def data_received(self, data: bytes) -> None:
        was_in_body, before = self._in_body, self.cycle
        self._other_bytes += len(data)
        super().data_received(data)
        is_answered = self.cycle is None or self.cycle.response_complete
        if is_answered and self._head_timer is None and not self.transport.is_closing():
            self._expect_head(self.head_timeout_s)  # a part of a head, or the rest of a body that nobody read
        if self._in_head and not was_in_body and self.cycle is before:  # then all of it was of this head
            self._head_bytes += len(data)
        if not self.transport.is_closing():
            self._bound(is_answered=is_answered)

    def _bound(self, *, is_answered: bool) -> None:
        """Break off what is too large besides a body: a head, or what is put around the chunks of a body or after it.
        The parser adds piece to piece, so that a long one would take ever longer."""
        if self._in_head and self._head_bytes > self._most_head_bytes:
            if is_answered:
                self._refuse(problem_response(HeadTooLarge(self._most_head_bytes)))
            else:
                self._break()  # nothing may be said before the answer to the request before
        elif self._other_bytes - CHUNK_OVERHEAD * self._body_bytes > 2 * self._most_head_bytes and self._in_body:
            self._break()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()
        if self._lingers:
            self._close()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_headers_complete(self) -> None:
        self._silent.pop(self, None)
        self._stop_head_timer()
        self._in_head, self._in_body = False, True
        self._body_bytes = self._other_bytes = 0
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > self._most_head_bytes:
            self.scope["state"][TOO_LARGE] = self._most_head_bytes
        self._is_extra = self._is_extra and self._is_crowded
        if self._is_extra:
            self.scope["state"][CROWDED] = True
        super().on_headers_complete()
        if self.scope["method"] != "HEAD":
            self.cycle.transport = _Joined(self.transport, self._finish)  # type: ignore[assignment]

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
        self._refuse(bad_request_response(msg))

    def _refuse(self, response: Response) -> None:
        """Answer what is no request of ours, and close."""
        headers = [*self.server_state.default_headers, *response.raw_headers]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[response.status_code] + lines + b"\r\n" + bytes(response.body))
        self._close()

    def _expect_head(self, timeout_s: float) -> None:
        self._head_timer = self._timers.call_later(timeout_s, self._close)

    def _expect_taking(self) -> None:
        if self._take_timer is None and self in self.connections:  # else it is lost already
            self._take_timer = self._timers.call_later(self.take_timeout_s, self._break)

    def _finish(self) -> None:
        """Close after an answer. If its client still sends a body, that is thrown away for a while: who is cut off
        while sending may never read why, nor may a proxy (RFC 9112, section 9.6)."""
        if not (self._in_body and self.transport.can_write_eof()):
            self.transport.close()
            return
        self._lingers = True
        self.transport.write_eof()
        self._timers.call_later(LINGER_S, self._close)

    def _close(self) -> None:
        """Close when what was written is taken."""
        if not self.transport.is_closing():
            self.transport.close()
        self._expect_taking()

    def _break(self) -> None:
        log.info("a connection is broken off: its client takes nothing, or sends what no request has")
        self.transport.abort()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_take_timer(self) -> None:
        if self._take_timer is not None:
            self._take_timer.cancel()
            self._take_timer = None

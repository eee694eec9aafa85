"""Clients that hold connections: slow heads, slow bodies, answers that nobody takes, and too many of them."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes import make_app, problem, serving
from patience import wait_until

from app.http.connections import Connection

BOUND_S = 15.0
"""By then every connection here must have ended; each is allowed about one second."""
HEAD = b"POST /v1/translate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


class Impatient(Connection):
    """Bounds of a second, so that tests need not wait."""

    head_timeout_s = 1.0
    take_timeout_s = 1.0


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.main.BODY_TIMEOUT_S", 1.0)
        with serving(make_app(tmp_path_factory.mktemp("slow")), http=Impatient) as one:
            yield one


def connect(address: str) -> socket.socket:
    url = httpx.URL(address)
    return socket.create_connection((url.host, url.port), timeout=BOUND_S)


def trickle(connection: socket.socket, start: bytes, drops: bytes) -> tuple[bytes, float]:
    """Send `start`, then bytes of `drops` again and again; what came back until the server closed, and seconds."""
    begun, got = time.monotonic(), b""
    connection.settimeout(0.1)
    try:
        connection.sendall(start)
        while time.monotonic() - begun < BOUND_S:
            connection.sendall(drops)
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                continue
            if not piece:
                break
            got += piece
    except ConnectionError:
        pass
    return got, time.monotonic() - begun


@pytest.mark.parametrize(
    ("start", "drops"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"a"),
        (b"", b"\r\n"),
    ],
    ids=["silence", "half a head", "empty lines"],
)
def test_a_head_that_does_not_end_is_cut_off(address: str, start: bytes, drops: bytes) -> None:
    with connect(address) as connection:
        _, seconds = trickle(connection, start, drops)
    assert 0.5 < seconds < BOUND_S, "a connection must not be held by bytes that trickle"


def test_a_second_head_that_does_not_end_is_cut_off(address: str) -> None:
    with connect(address) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        _, seconds = trickle(connection, b"GET / HTTP/1.1\r\n", b"a")
    assert seconds < BOUND_S


@pytest.mark.parametrize("path", ["/v1/translate", "/v1/corrections", "/v1/corrections/bulk"])
def test_a_body_that_trickles_is_answered_in_time_on_every_route(address: str, path: str) -> None:
    head = HEAD.replace(b"/v1/translate", path.encode()) + b"Content-Length: 1000\r\n\r\n"
    with connect(address) as connection:
        got, seconds = trickle(connection, head + b'{"text": "', b"a")
    assert seconds < BOUND_S
    assert got.startswith(b"HTTP/1.1 408") and b"/problems/body-too-slow" in got


def test_a_body_in_chunks_that_trickle_is_answered_in_time(address: str) -> None:
    with connect(address) as connection:
        got, seconds = trickle(connection, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n")
    assert seconds < BOUND_S
    assert got.startswith(b"HTTP/1.1 408")


def test_who_is_quick_keeps_the_connection(address: str) -> None:
    """Longer than all bounds together, as a client that sends requests one after the other."""
    with httpx.Client(base_url=address) as client:
        streams = set()
        begun = time.monotonic()
        while time.monotonic() - begun < 2.5:
            with client.stream("GET", "/health/live") as answer:
                assert answer.read() == b'{"status":"alive"}'
                streams.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
            time.sleep(0.3)
    assert len(streams) == 1, "a connection in use must not be closed"


LARGE = 32 * 1024 * 1024
ANSWERED: list[float] = []


async def large_answer(scope: Any, _receive: Any, send: Any) -> None:
    """An ASGI app: 32 MiB in pieces."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % LARGE)]})
    for _ in range(LARGE // 65536):
        await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
    await send({"type": "http.response.body", "body": b""})
    ANSWERED.append(time.monotonic())


def test_an_answer_that_nobody_takes_is_broken_off() -> None:
    ANSWERED.clear()
    with serving(large_answer, http=Impatient, lifespan="off") as address, connect(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: ANSWERED, "the server waits no longer for a client that reads nothing", BOUND_S)
        got = 0
        try:
            while piece := connection.recv(1 << 20):
                got += len(piece)
        except ConnectionError:
            pass
    assert got < LARGE


def test_an_answer_that_is_taken_comes_whole() -> None:
    """With the bounds of every server: on a busy machine a client that reads may need a second for some of it."""
    with serving(large_answer, http=Connection, lifespan="off") as address:
        assert len(httpx.get(address).content) == LARGE


def test_too_many_connections_are_told_so_as_a_problem(tmp_path: Path) -> None:
    with serving(make_app(tmp_path), limit_concurrency=3) as address:
        held = [connect(address) for _ in range(3)]
        for one in held:  # open for certain
            one.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert one.recv(65536).startswith(b"HTTP/1.1 200")
        refused = httpx.get(f"{address}/v1/models")
        found = problem(refused, 503, "too-many-connections")
        assert "too many connections" in found["detail"]
        assert int(refused.headers["retry-after"]) > 0
        assert refused.headers["connection"] == "close"
        assert refused.headers["x-content-type-options"] == "nosniff"
        assert httpx.get(f"{address}/health/live").status_code == 200, "it must not be restarted for being busy"
        for one in held:
            one.close()
        free = f"{address}/v1/models"
        wait_until(lambda: httpx.get(free).status_code == 200, "a connection is free again", BOUND_S)
        text = httpx.get(f"{address}/metrics").text
    assert 'traghetto_requests_total{dialect="other",route="unmatched",status="503"}' in text


def test_what_is_no_http_is_refused_as_a_problem(address: str) -> None:
    with connect(address) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert re.search(rb"content-type: application/problem\+json", head)
    assert json.loads(content)["title"] == "Bad Request"

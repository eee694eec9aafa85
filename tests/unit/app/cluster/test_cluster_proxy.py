"""What Ray's proxies do with a request whose replica dies: they ask another, or tell the caller, in its dialect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from app.cluster.proxy import ASKED_AGAIN, KEPT_BYTES, TRIES, AskAgain
from app.main import ROUTES


class DyingReplicas:
    """Read a request whole, and die without a word, as Ray's proxies see it, until the `lives`-th has it."""

    def __init__(self, lives: int) -> None:
        self.lives = lives
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        scope["path"] = "changed by who had it"
        if len(self.bodies) == self.lives:
            await respond(send, 200, body, [(b"x-content-type-options", b"nosniff")])


async def respond(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def asked(app: ASGIApp, deadline_s: float = 30.0) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(AskAgain(app, deadline_s)), base_url="http://localhost")


async def test_another_replica_has_the_whole_request() -> None:
    replicas = DyingReplicas(lives=TRIES)
    async with asked(replicas) as client:
        answer = await client.post("/v1/translate", content=b"x" * 100_000)
    assert (answer.status_code, answer.content) == (200, b"x" * 100_000)
    assert replicas.bodies == [b"x" * 100_000] * TRIES


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/translate", lambda body: body["type"] == "/problems/not-ready"),
        ("/translate", lambda body: "no more" in body["error"]),
        ("/v2/translate", lambda body: "no more" in body["message"]),
        ("/language/translate/v2", lambda body: body["error"]["code"] == 503),
    ],
)
async def test_when_all_die_the_caller_is_told_in_its_dialect(path: str, told: Callable[[dict], bool]) -> None:
    replicas = DyingReplicas(lives=0)
    async with asked(replicas) as client:
        answer = await client.post(path, content=b"{}")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert told(json.loads(answer.content))
    assert len(replicas.bodies) == TRIES


async def test_what_may_have_changed_something_is_tried_once() -> None:
    replicas = DyingReplicas(lives=2)
    async with asked(replicas) as client:
        answer = await client.post("/v1/corrections", content=b"{}")
    assert answer.status_code == 503
    assert "not known" in answer.json()["detail"]
    assert len(replicas.bodies) == 1


async def test_a_long_body_is_tried_once() -> None:
    replicas = DyingReplicas(lives=2)
    async with asked(replicas) as client:
        answer = await client.post("/v1/translate", content=b"x" * (KEPT_BYTES + 1))
    assert answer.status_code == 503
    assert len(replicas.bodies) == 1


async def test_nothing_is_sent_to_a_client_that_has_gone() -> None:
    sent = []

    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        sent.append(message)

    replicas = DyingReplicas(lives=2)
    scope = {"type": "http", "method": "GET", "path": "/v1/models", "headers": []}
    await AskAgain(replicas, 30.0)(scope, gone, send)
    assert not sent
    assert len(replicas.bodies) == 1


async def test_what_ray_says_is_said_in_the_dialect() -> None:
    """Such as 404 while the application is being ended, which callers would take for good."""

    async def ray(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 404, b"Path '/' not found.", [(b"content-type", b"text/plain")])

    async with asked(ray) as client:
        answer = await client.post("/translate", content=b"{}")
        own = await client.get("/-/healthz")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "No replica" in answer.json()["error"]
    assert own.status_code == 404


async def test_nobody_waits_for_ever_where_no_replica_is() -> None:
    seen = []

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["headers"])
        await asyncio.sleep(60)

    async with asked(waits, deadline_s=0.05) as client:
        answer = await client.post("/v1/translate", content=b"{}", headers={"X-Request-Timeout-Seconds": "0.001"})
    assert answer.status_code == 503
    assert b"x-request-timeout-seconds" not in dict(seen[0])


async def test_an_answer_that_has_begun_may_take_its_time() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-content-type-options", b"nosniff")]})
        await asyncio.sleep(0.2)
        await send({"type": "http.response.body", "body": b"late"})

    async with asked(slow, deadline_s=0.1) as client:
        assert (await client.get("/v1/retraining/1/events")).content == b"late"


async def test_numbers_are_not_for_those_outside() -> None:
    replicas = DyingReplicas(lives=1)
    async with asked(replicas) as client:
        forwarded = await client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.7"})
        assert (forwarded.status_code, forwarded.json()["type"]) == (404, "/problems/not-found")
        assert replicas.bodies == []
        assert (await client.get("/metrics")).status_code == 200


def test_the_paths_are_there() -> None:
    assert set(ASKED_AGAIN) <= {route.path for route in ROUTES if "POST" in (route.methods or ())}

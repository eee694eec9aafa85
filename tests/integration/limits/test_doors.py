"""Doors: who comes in by which name, from where, with how large a head; what every answer says to browsers."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fakes import FakeTranslator, body, client_of, make_app, problem, serving

from app.settings import Settings

KEY = "0123456789abcdef"
OPEN = {
    "/", "/review", "/models", "/docs", "/openapi.json", "/metrics", "/health", "/health/live", "/health/ready",
    "/problems/{slug}", "/languages", "/frontend/settings", "/spec",
}  # fmt: skip
"""Read without a key. The pages show nothing by themselves: what they ask for needs one."""
TRANSLATING = {
    "/v1/translate", "/translate", "/detect", "/v2/translate", "/v2/languages", "/language/translate/v2",
    "/language/translate/v2/detect", "/language/translate/v2/languages",
}  # fmt: skip
CORRECTING = {"/suggest", "/v1/corrections", "/v1/corrections/{correction_id}"}


def routes(app: Any) -> list[tuple[str, str]]:
    """Method and path of every route that needs a key on a server that is open to translate and correct."""
    found = [
        (method.upper(), path)
        for path, methods in app.openapi()["paths"].items()
        for method in methods
        if path not in OPEN | TRANSLATING
    ]
    return [one for one in found if one not in (("POST", "/suggest"), ("POST", "/v1/corrections"))]


SENT: dict[str, dict[str, str]] = {
    "none": {},
    "wrong": {"Authorization": "Bearer wrong"},
    "unknown": {"Authorization": "Bearer traghetto_" + "x" * 43},
    "digest": {"Authorization": "Digest x"},
}


@pytest.mark.parametrize("sent", SENT.values(), ids=SENT)
async def test_no_route_of_reviewers_or_the_owner_is_open(tmp_path: Path, sent: dict[str, str]) -> None:
    """With and without bodies. New routes are looked at by themselves, from the API's own description."""
    app = make_app(tmp_path, admin_key=KEY, requests_per_address="none")
    asked = routes(app)
    assert len(asked) > 20
    async with client_of(app) as client:
        for method, path in asked:
            filled = re.sub(
                r"\{pair\}", "it-en", re.sub(r"\{(?!pair)\w+\}", "00000000-0000-0000-0000-000000000000", path)
            )
            for more in ({}, {"json": {}}):
                answer = await client.request(method, filled, headers=sent, **more)
                allowed = (401, 403, 404) if path == "/v1/corrections/{correction_id}" and not sent else (401, 403)
                assert answer.status_code in allowed, (method, path, answer.status_code, answer.text)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
    ],
    ids=lambda headers: " ".join(headers),
)
async def test_wrong_names_and_origins_get_nothing_of_the_owner(tmp_path: Path, headers: dict[str, str]) -> None:
    async with client_of(make_app(tmp_path)) as client:
        assert (await client.get("/v1/models")).status_code == 200, "this machine's owner"
        assert (await client.get("/v1/models", headers=headers)).status_code == 403


async def test_a_stranger_cannot_choose_its_address(tmp_path: Path) -> None:
    """Not without a list of proxies; and with one only through them."""
    app = make_app(tmp_path, admin_key=KEY, requests_per_address="3/hour")
    with serving(app) as address:
        assert await spoofed(address, 5) == [200] * 3 + [429] * 2


@pytest.mark.parametrize(("proxies", "expected"), [("127.0.0.1", [200] * 5), ("10.0.0.0/8", [200] * 3 + [429] * 2)])
async def test_only_listed_proxies_say_where_a_request_came_from(
    tmp_path: Path, proxies: str, expected: list[int]
) -> None:
    app = make_app(tmp_path, admin_key=KEY, requests_per_address="3/hour", trusted_proxies=proxies)
    with serving(app, proxy_headers=True, forwarded_allow_ips=proxies) as address:
        assert await spoofed(address, 5) == expected


async def test_through_a_proxy_what_a_client_adds_in_front_counts_nothing(tmp_path: Path) -> None:
    app = make_app(tmp_path, admin_key=KEY, requests_per_address="3/hour", trusted_proxies="127.0.0.1")
    with serving(app, proxy_headers=True, forwarded_allow_ips="127.0.0.1") as address:
        assert await spoofed(address, 5, "198.51.100.{number}, 203.0.113.9") == [200] * 3 + [429] * 2


async def spoofed(address: str, count: int, forwarded: str = "198.51.100.{number}") -> list[int]:
    async with httpx.AsyncClient(base_url=address) as client:
        return [
            (
                await client.post(
                    "/v1/translate",
                    json=body("Ciao."),
                    headers={"X-Forwarded-For": forwarded.format(number=number)},
                )
            ).status_code
            for number in range(count)
        ]


async def test_behind_a_trusted_proxy_nobody_is_the_owner(tmp_path: Path) -> None:
    async with client_of(make_app(tmp_path, trusted_proxies="127.0.0.1")) as client:
        problem(await client.get("/v1/models"), 401, "not-authorised")


# --- heads ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [9_000, 40_000, 200_000])
def test_a_head_that_is_too_large_is_refused(tmp_path: Path, size: int) -> None:
    """In one piece or in many, in the address or in a field."""
    with serving(make_app(tmp_path), h11_max_incomplete_event_size=8192) as address:
        for path, headers in (("/health/live", {"X-Long": "x" * size}), (f"/health/live?{'x' * size}", {})):
            place = urlsplit(address)
            connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=20)
            try:
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                assert answer.status == 431
                assert b"/problems/head-too-large" in answer.read()
            except (BrokenPipeError, ConnectionResetError):
                assert size > 100_000, "who sends much more than is read may be cut off"
            finally:
                connection.close()
        assert httpx.get(f"{address}/health/live", headers={"X-Long": "x" * 4000}).status_code == 200


def test_a_head_that_never_ends_is_refused_at_the_limit(tmp_path: Path) -> None:
    with serving(make_app(tmp_path), h11_max_incomplete_event_size=8192) as address:
        place = urlsplit(address)
        with socket.create_connection((place.hostname or "", place.port or 0), timeout=20) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
            for _ in range(9):
                connection.sendall(b"X-More: " + b"y" * 1000 + b"\r\n")
            answer = b""
            while chunk := connection.recv(65_536):
                answer += chunk
    assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("count", [1000, 1500])
async def test_a_thousand_idle_connections_hinder_nobody(tmp_path: Path, count: int) -> None:
    """As many as may be, and more: who has asked for nothing yet makes room for the next."""
    with serving(make_app(tmp_path), limit_concurrency=Settings().max_connections) as address:
        place = urlsplit(address)
        idle = await asyncio.gather(*(asyncio.open_connection(place.hostname, place.port) for _ in range(count)))
        try:
            async with httpx.AsyncClient(base_url=address) as client:
                assert (await client.post("/v1/translate", json=body("Ciao."), timeout=20)).status_code == 200
        finally:
            for _, writer in idle:
                writer.transport.abort()


# --- what browsers are told -----------------------------------------------------------------------------------------


def test_a_body_that_nobody_reads_is_not_taken_for_a_head(tmp_path: Path) -> None:
    """A request that is refused at once leaves its body on the connection, and the next request is answered all the
    same."""
    with serving(make_app(tmp_path, admin_key=KEY), h11_max_incomplete_event_size=8192) as address:
        place = urlsplit(address)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=20)
        for _ in range(5):
            wrong = {"Authorization": "Bearer wrong", "Content-Type": "application/json"}
            connection.request("POST", "/v1/translate", json.dumps(body("x" * 400_000)), wrong)
            refused = connection.getresponse()
            assert (refused.status, b"not-authorised" in refused.read()) == (401, True)
            connection.request("GET", "/health/live")
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b'{"status":"alive"}')
        connection.close()


def test_who_sends_too_much_can_read_why(tmp_path: Path) -> None:
    """Also if it sends all of it before it reads: the connection is not reset in the middle."""
    with serving(make_app(tmp_path, max_body_bytes=100_000)) as address:
        place = urlsplit(address)
        with socket.create_connection((place.hostname or "", place.port or 0), timeout=20) as connection:
            head = b"POST /v1/translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            connection.sendall(head + b"Content-Length: 3000000\r\n\r\n")
            for _ in range(30):
                connection.sendall(b" " * 100_000)
                time.sleep(0.01)
            answer = b""
            while chunk := connection.recv(65_536):
                answer += chunk
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"/problems/body-too-large" in answer


@pytest.mark.parametrize("kind", ["head behind an answer", "trailers"])
def test_what_comes_besides_bodies_is_bounded(tmp_path: Path, kind: str) -> None:
    """Heads that are sent while an answer is waited for, and what follows the last chunk of a body."""
    translator = FakeTranslator()
    translator.gate.clear()
    with serving(make_app(tmp_path, translator), h11_max_incomplete_event_size=8192) as address:
        place = urlsplit(address)
        payload = json.dumps(body("Ciao.")).encode()
        head = b"POST /v1/translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        if kind == "trailers":
            first = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n" % (len(payload), payload)
        else:
            first = head + b"Content-Length: %d\r\n\r\n%sGET / HTTP/1.1\r\n" % (len(payload), payload)
        with socket.create_connection((place.hostname or "", place.port or 0), timeout=20) as connection:
            connection.sendall(first)
            with pytest.raises(OSError, match=r"reset|pipe"):
                for _ in range(3000):
                    connection.sendall(b"X-More: " + b"y" * 1000 + b"\r\n")
        translator.gate.set()
        assert httpx.get(f"{address}/health/live").status_code == 200


async def test_every_answer_has_safe_headers(tmp_path: Path) -> None:
    async with client_of(make_app(tmp_path)) as client:
        for path in ("/", "/review", "/docs", "/health/live", "/metrics", "/languages", "/nothing", "/v1/models"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff", path
            assert headers["x-frame-options"] == "DENY", path
            assert headers["cross-origin-resource-policy"] == "same-origin", path
            assert "frame-ancestors 'none'" in headers["content-security-policy"], path
            assert len(headers.get_list("content-security-policy")) == 1, path
        assert (await client.get("/health/live")).headers["content-security-policy"].startswith("default-src 'none';")
        assert "script-src 'self'" in (await client.get("/")).headers["content-security-policy"]


async def test_pages_of_other_origins_may_call_only_where_they_are_listed(tmp_path: Path) -> None:
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
    async with client_of(make_app(tmp_path / "closed")) as client:
        preflight = await client.options("/v1/translate", headers=asked)
        assert "access-control-allow-origin" not in preflight.headers
    async with client_of(make_app(tmp_path / "open", cors_origins="https://page.example")) as client:
        preflight = await client.options("/v1/translate", headers=asked)
        assert preflight.status_code == 200
        assert preflight.headers["x-content-type-options"] == "nosniff"
        assert preflight.headers["access-control-allow-origin"] == "https://page.example"
        answer = await client.post("/v1/translate", json=body("Ciao."), headers={"Origin": "https://page.example"})
        assert answer.headers["access-control-allow-origin"] == "https://page.example"
        assert "Retry-After" in answer.headers["access-control-expose-headers"]
        other = await client.post("/v1/translate", json=body("Ciao."), headers={"Origin": "https://other.example"})
        assert "access-control-allow-origin" not in other.headers
        draft = {"source": "it", "target": "en", "source_text": "Ciao.", "machine_translation": "CIAO.",
                 "corrected_translation": "Hello."}  # fmt: skip
        forged = await client.post("/v1/corrections", json=draft, headers={"Origin": "https://page.example"})
        assert forged.status_code == 403, "without a key it still changes nothing"

"""HEAD wherever there is GET, and bodies of other types than the route reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from corrections_kit import draft
from fakes import body, client_of, make_app, problem, serving

KEY = "0123456789abcdef"
BEARER = {"Authorization": f"Bearer {KEY}"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON_ROUTES = [
    ("POST", "/v1/translate"),
    ("POST", "/v1/corrections"),
    ("POST", "/v1/corrections/bulk"),
    ("POST", "/v1/corrections/00000000-0000-4000-8000-000000000000/reject"),
    ("PATCH", "/v1/corrections/00000000-0000-4000-8000-000000000000"),
]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(make_app(tmp_path, admin_key=KEY)) as running:
        yield running


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/health/live", "/health/ready", "/metrics", "/openapi.json", "/static/any/page.css"]
)
async def test_head_is_answered_as_get_without_a_body(client: httpx.AsyncClient, path: str) -> None:
    await client.post("/v1/translate", json=body("Ciao."))
    whole, head = await client.get(path), await client.head(path)
    assert (whole.status_code, head.status_code) == (200, 200)
    assert head.content == b""
    assert head.headers["content-type"] == whole.headers["content-type"]


async def test_head_needs_what_get_needs(client: httpx.AsyncClient) -> None:
    assert (await client.head("/v1/models")).status_code == 401
    assert (await client.head("/v1/models", headers=BEARER)).status_code == 200
    assert (await client.head("/v1/translate")).status_code == 405
    assert (await client.head("/nothing")).status_code == 404


def test_head_over_a_socket_leaves_the_connection_usable(tmp_path: Path) -> None:
    with serving(make_app(tmp_path)) as address, httpx.Client(base_url=address) as client:
        for path in ("/", "/health/live", "/openapi.json", "/nothing"):
            assert client.head(path).content == b""
            assert client.get("/health/live").json() == {"status": "alive"}


@pytest.mark.parametrize(("method", "path"), JSON_ROUTES)
@pytest.mark.parametrize(
    ("declared", "content"),
    [
        ("application/x-www-form-urlencoded", b"text=ciao&source=it&target=en"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nciao\r\n--x--'),
        ("application/xml", b"<text>ciao</text>"),
    ],
)
async def test_a_body_of_another_type_is_named(
    client: httpx.AsyncClient, method: str, path: str, declared: str, content: bytes
) -> None:
    answer = await client.request(method, path, content=content, headers={**BEARER, "Content-Type": declared})
    found = problem(answer, 415, "unsupported-body")
    assert declared.partition(";")[0] in found["detail"]
    assert "application/json" in found["detail"]


async def test_a_form_without_a_key_is_named_too(tmp_path: Path) -> None:
    """The owner of the machine, and an anonymous author: what a foreign page could have sent is refused either way."""
    async with client_of(make_app(tmp_path)) as client:
        for content in (b"text=ciao", b"{}"):
            found = problem(
                await client.post("/v1/corrections", content=content, headers=FORM), 415, "unsupported-body"
            )
            assert "application/x-www-form-urlencoded" in found["detail"]
            assert "application/json" in found["detail"]
        found = problem(await client.post("/v1/translate", content=b"text=ciao", headers=FORM), 415, "unsupported-body")
        assert "application/x-www-form-urlencoded" in found["detail"]


async def test_what_is_json_is_read_whatever_it_is_called(client: httpx.AsyncClient) -> None:
    """As `curl -d` sends it."""
    content = b'{"text": "ciao", "source": "it", "target": "en"}'
    assert (await client.post("/v1/translate", content=content, headers=FORM)).status_code == 200
    sent = httpx.Request("POST", "http://x", json=draft()).content
    assert (await client.post("/v1/corrections", content=sent, headers={**FORM, **BEARER})).status_code == 201


@pytest.mark.parametrize("declared", ["application/json", "application/json; charset=utf-8", "application/ld+json", ""])
async def test_broken_json_is_told_as_such(client: httpx.AsyncClient, declared: str) -> None:
    headers = {"Content-Type": declared} if declared else {}
    found = problem(await client.post("/v1/translate", content=b'{"text": ', headers=headers), 400, "malformed-json")
    assert "line 1" in found["detail"]


async def test_a_file_sent_as_a_form_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/corrections/import", files={"file": b"{}"}, headers=BEARER)
    found = problem(answer, 415, "unsupported-body")
    assert "multipart/form-data" in found["detail"] and "application/octet-stream" in found["detail"]


@pytest.mark.parametrize(("most_bytes", "seconds"), [(1_000_000, 60.0), (600_000_000, 600.0)])
def test_a_file_has_the_time_that_its_size_needs(tmp_path: Path, most_bytes: int, seconds: float) -> None:
    app = make_app(tmp_path, corrections_import_max_bytes=most_bytes)
    assert app.edge._paths.larger["/v1/corrections/import"].seconds == seconds  # type: ignore[attr-defined]

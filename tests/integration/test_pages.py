"""The pages as they are sent: how large, how long they may be kept, in which language, and what they may do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fakes import client_of, make_app

from app.http.routes.pages import fingerprint

PAGES = ("/", "/review", "/models")
MOST_BYTES = 80_000


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(make_app(tmp_path)) as one:
        yield one


def parts(html: str) -> set[str]:
    """All that a page loads, itself aside."""
    return set(re.findall(r"(?:src|href)=\"(/static/[^\"]+)\"", html))


async def size(client: httpx.AsyncClient, paths: set[str], encoding: str) -> int:
    """Bytes on the wire."""
    total = 0
    for path in paths:
        async with client.stream("GET", path, headers={"Accept-Encoding": encoding}) as response:
            assert response.status_code == 200
            total += sum([len(piece) async for piece in response.aiter_raw()])
    return total


async def test_each_page_is_small_and_so_are_all_together(client: httpx.AsyncClient) -> None:
    loaded = {page: parts((await client.get(page)).text) | {page} for page in PAGES}
    for page, paths in loaded.items():
        assert await size(client, paths, "identity") < MOST_BYTES, page
    assert await size(client, set().union(*loaded.values()), "gzip") < MOST_BYTES


@pytest.mark.parametrize("path", PAGES)
async def test_what_a_script_imports_is_fetched_with_the_page(client: httpx.AsyncClient, path: str) -> None:
    found = parts((await client.get(path)).text)
    wanted = set()
    for script in (one for one in found if one.endswith(".js")):
        names = re.findall(r"from \"(\.[^\"]+)\"", (await client.get(script)).text)
        wanted |= {str(httpx.URL(f"http://x{script}").join(name).path) for name in names}
    assert wanted and wanted <= found


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_may_do_nothing_but_talk_to_its_server(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert not re.search(r"\son\w+=|style=|<script(?![^>]*(?:src|application/json))|https?://", response.text)


async def test_files_may_be_kept_for_good_and_pages_not(client: httpx.AsyncClient) -> None:
    assert (await client.get("/")).headers["cache-control"] == "no-cache"
    ours = await client.get(f"/static/{fingerprint()}/lib.js")
    assert "immutable" in ours.headers["cache-control"]
    other = await client.get("/static/0123456789ab/lib.js")
    assert (other.status_code, other.headers["cache-control"]) == (200, "no-cache")
    assert other.content == ours.content
    for path in (
        "/static/lib.js",
        f"/static/{fingerprint()}/../pages.py",
        "/static/x/none.js",
        "/static/x/%2e%2e/words.py",
    ):
        assert (await client.get(path)).status_code == 404


async def test_the_language_is_that_of_choice_cookie_and_browser_in_this_order(client: httpx.AsyncClient) -> None:
    async def language(path: str, **headers: str) -> str:
        response = await client.get(path, headers=headers)
        assert "Accept-Language" in response.headers["vary"] and "Cookie" in response.headers["vary"]
        return re.findall(r"<html lang=\"(\w+)\"", response.text)[0]

    assert await language("/", **{"Accept-Language": "it"}) == "it"
    assert await language("/", **{"Accept-Language": "it", "Cookie": "ui=en"}) == "en"
    assert await language("/?ui=it", **{"Cookie": "ui=en"}) == "it"
    assert await language("/?ui=%22%3E%3Cb%3E", **{"Cookie": "ui=%3Cb%3E"}) == "en"


async def test_a_choice_of_language_is_kept_in_a_cookie_that_no_script_reads(client: httpx.AsyncClient) -> None:
    cookie = (await client.get("/review?ui=it")).headers["set-cookie"]
    assert cookie.startswith("ui=it;") and "HttpOnly" in cookie and "SameSite=lax" in cookie
    client.cookies.clear()
    assert "set-cookie" not in (await client.get("/review?ui=xx")).headers


async def test_behind_a_prefix_all_addresses_have_it(tmp_path: Path) -> None:
    app = make_app(tmp_path)
    transport = httpx.ASGITransport(app, root_path="/traghetto")
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://h") as client:
        html = (await client.get("/traghetto/?ui=it")).text
    assert 'data-root="/traghetto"' in html
    assert not re.findall(r"(?:src|href)=\"/(?!traghetto)", html)

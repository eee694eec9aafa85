"""HEAD for an answer of many pieces: its head is all that is made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from corrections_kit import ADMIN_KEY
from fakes import client_of, make_app, serving
from starlette.responses import StreamingResponse

PIECES = 200


async def test_the_body_of_a_stream_is_not_made(tmp_path: Path) -> None:
    made = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(PIECES):
            made += 1
            yield bytes(1000)

    app = make_app(tmp_path)

    @app.get("/long")
    async def long() -> StreamingResponse:
        return StreamingResponse(pieces(), headers={"X-Kind": "long"})

    async with client_of(app) as client:
        assert len((await client.get("/long")).content) == PIECES * 1000
        made = 0
        head = await client.head("/long")
    assert (head.status_code, head.headers["x-kind"], head.content) == (200, "long", b"")
    assert head.headers["x-content-type-options"] == "nosniff"
    assert made < 5, f"{made} of {PIECES} pieces were made for nobody"


def test_the_head_of_an_export_leaves_the_connection_usable(tmp_path: Path) -> None:
    key = {"Authorization": f"Bearer {ADMIN_KEY}"}
    app = make_app(tmp_path, admin_key=ADMIN_KEY)
    with serving(app) as address, httpx.Client(base_url=address, headers=key) as client:
        for _ in range(3):
            head = client.head("/v1/corrections/export")
            assert (head.status_code, head.content) == (200, b"")
            assert client.get("/health/live").json() == {"status": "alive"}
        counted = client.get("/metrics").text
    assert 'traghetto_requests_total{dialect="v1",route="/v1/corrections/export",status="200"} 3.0' in counted

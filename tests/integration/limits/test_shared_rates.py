"""Rates that several servers count together, in a real Redis, and what they do when it goes away."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes import body, client_of, make_app

KEY = "0123456789abcdef"


async def statuses(client: httpx.AsyncClient, count: int) -> list[int]:
    return [(await client.post("/v1/translate", json=body("Ciao."))).status_code for _ in range(count)]


async def test_two_servers_count_together(
    redis_server: tuple[str, subprocess.Popen[bytes]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, process = redis_server
    monkeypatch.setattr("app.access.rates.SHARED_TIMEOUT_S", 10.0)  # busy machines are not what is asked here
    settings: dict[str, Any] = {"admin_key": KEY, "redis_url": url, "requests_per_address": "5/hour"}
    first, second = (make_app(tmp_path / name, **settings) for name in ("a", "b"))
    async with client_of(first) as one, client_of(second) as other:
        assert await statuses(one, 3) == [200] * 3
        assert await statuses(other, 3) == [200, 200, 429]
        refused = await one.post("/v1/translate", json=body("Ciao."))
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 7200
        process.kill()
        process.wait()
        assert await statuses(other, 6) == [200] * 5 + [429], "now it counts for itself"
    assert sum("Redis does not answer" in record.getMessage() for record in caplog.records) == 1

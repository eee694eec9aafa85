"""What all dialects do alike."""

from __future__ import annotations

import threading
from pathlib import Path

import httpx
import pytest
from databases import migrated
from fakes import FakeTranslator, client_of

from app.main import create_app
from app.settings import Settings


@pytest.mark.parametrize("path", ["/languages", "/health", "/v2/languages", "/language/translate/v2/languages"])
async def test_nobody_is_told_that_there_is_nothing_while_models_load(tmp_path: Path, path: str) -> None:
    settings, loaded = Settings(data_dir=tmp_path), threading.Event()
    migrated(settings.database)

    def load() -> dict[str, FakeTranslator]:
        loaded.wait(20)
        return {"it-en": FakeTranslator()}

    app = create_app(settings, load)  # type: ignore[arg-type]
    async with client_of(app) as client:
        assert (await client.get(path)).status_code == 503
        loaded.set()
        await app.state.services.engine.wait_ready(20)
        assert (await client.get(path)).status_code == 200


async def test_what_is_not_there_is_told_in_the_words_of_the_dialect(client: httpx.AsyncClient) -> None:
    deepl = await client.post("/v2/document", json={})
    assert (deepl.status_code, list(deepl.json())) == (404, ["message"])
    deepl = await client.put("/v2/translate", json={})
    assert (deepl.status_code, list(deepl.json()), deepl.headers["allow"]) == (405, ["message"], "POST")
    google = await client.get("/language/translate/v2/models")
    assert (google.status_code, google.json()["error"]["code"]) == (404, 404)
    assert (await client.get("/v3/nothing")).json()["type"] == "about:blank"

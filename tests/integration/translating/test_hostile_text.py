"""Text made to cost much, with the models that ship: whoever sends it waits, and nobody else."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from databases import migrated
from fakes import body, client_of
from patience import eventually

from app.main import create_app
from app.settings import Settings
from benchmarks.sentences import nonsense

SENTENCES = 120
NAMES = ("Anna", "Marco", "Maria", "Luca", "Carla", "Paolo")


@pytest.mark.weights
async def test_nonsense_does_not_hold_up_a_short_request(tmp_path: Path) -> None:
    """Second searches of a whole batch once ran before anybody else was answered: 45 s for 50,000 characters."""
    settings = Settings(data_dir=tmp_path)
    migrated(settings.database)
    app = create_app(settings)
    async with client_of(app) as client:
        await app.state.services.engine.wait_ready(60)
        hostile = asyncio.create_task(client.post("/v1/translate", json=body(" ".join(nonsense(SENTENCES)))))
        await eventually(lambda: app.state.services.engine._scheduler.busy, "the nonsense is being translated")
        began, waited = time.monotonic(), []
        while not hostile.done():
            asked = time.monotonic()
            answer = await client.post("/v1/translate", json=body(f"Dove sei, {NAMES[len(waited) % len(NAMES)]}?"))
            assert answer.status_code == 200
            waited.append(time.monotonic() - asked)
        assert (await hostile).status_code == 200
        took = time.monotonic() - began
        assert len(waited) > 2 and max(waited) < took / 2, "a short request waited for all second searches of another"
        metrics = (await client.get("/metrics")).text
    retries = next(line for line in metrics.splitlines() if line.startswith("traghetto_retries_total"))
    assert float(retries.split()[-1]) > SENTENCES / 4, "the nonsense hardly cost anything: nothing was tested"

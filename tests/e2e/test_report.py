"""The gate's report in a real browser, which sends no key: by its link."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from browsing import Open
from fakes import make_app, serving
from playwright.sync_api import expect

from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import KEPT, RetrainingRun

pytestmark = pytest.mark.browser

KEY = "0123456789abcdef"
CHANGED = {
    "id": "1", "source": "Lei è una cantante famosa.", "reference": "She is a famous singer.",
    "before": "She is a well singer singer.", "after": "She is a famous singer.", "gain": 41.5,
}  # fmt: skip
SET = {
    "name": "corrections", "sentences": 12, "measure": "BLEU", "before": 31.2, "after": 44.9, "delta": 13.7,
    "interval": [6.1, 20.4], "passed": True, "why": "they gain", "changed": [CHANGED], "notes": {},
}  # fmt: skip
REPORT = {
    "pair": "it-en", "candidate": "corrected-20261128-1", "current": "default", "passed": True, "reasons": [],
    "strength": 1.0, "replay": "sample", "seconds": 240, "left_out": [], "sets": [SET],
}  # fmt: skip


async def stored(settings: Settings) -> str:
    """The id of a run that is put into the database."""
    database = Database(settings.database)
    run = RetrainingRun(
        pair="it-en", state=KEPT, parent="default", candidate="corrected-20261128-1", corrections=12, report=REPORT
    )
    try:
        async with database.writing() as session:
            session.add(run)
        return str(run.id)
    finally:
        await database.close()


def test_a_browser_opens_the_report_by_its_link(opened: Open, tmp_path: Path) -> None:
    app = make_app(tmp_path, admin_key=KEY)
    with ThreadPoolExecutor(1) as apart:  # the browser's loop runs in this thread
        id = apart.submit(asyncio.run, stored(Settings(data_dir=tmp_path))).result()
    with serving(app) as address:
        answer = httpx.get(f"{address}/v1/retraining/{id}", headers={"Authorization": f"Bearer {KEY}"})
        with opened(address, answer.json()["report_url"]) as page:
            expect(page.locator("h1")).to_have_text("it-en: corrected-20261128-1")
            expect(page.locator("body")).to_contain_text("She is a well singer singer.")
            page.screenshot(path=str(Path(os.environ.get("TRAGHETTO_TEST_SCREENSHOTS", tmp_path)) / "report.png"))
            without = page.goto(f"{address}/v1/retraining/{id}/report")
            assert without is not None and without.status == 401

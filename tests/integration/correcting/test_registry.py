"""The rows of model versions: one damaged version folder, or pointer, does not keep the others from being known."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from corrections_kit import app_on
from fakes import client_of
from patience import eventually
from sqlalchemy import select

from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import ModelVersion
from app.versions.registry import ancestry, reconcile
from app.versions.store import model_roots

PAIR = "it-en"
DAMAGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no date": lambda card: card.update(created="once"),
    "no zone": lambda card: card.update(created="2026-11-28T10:00:00"),
    "no ids": lambda card: card["data"].update(corrections={"ids": ["x", 7, None], "read_at": "then"}),
    "ids that are no list": lambda card: card["data"].update(corrections={"ids": 7}),
    "a parent that fits no column": lambda card: card.update(parent="x" * 500),
    "numbers that are none": lambda card: card.update(scores={"bleu": float("nan")}),
    "a character that no database stores": lambda card: card.update(parent="it-en/a\0b"),
}


@pytest.fixture
def settings(url: str, tmp_path: Path, tiny_data_dir: Path) -> Settings:
    """A data directory with `default`, `second` and versions whose cards are damaged, one way each."""
    data_dir = tmp_path / "data"
    shutil.copytree(tiny_data_dir / "models", data_dir / "models")
    folder = data_dir / "models" / PAIR
    for number, damage in enumerate(DAMAGES.values()):
        broken = folder / f"broken-{number}"
        shutil.copytree(folder / "second", broken)
        card = json.loads((broken / "card.json").read_text())
        card["version"] = broken.name
        damage(card)
        (broken / "card.json").write_text(json.dumps(card))
    return Settings(data_dir=data_dir, database_url=url, device="cpu")


async def rows(settings: Settings) -> dict[str, str]:
    """Version to status, of our pair."""
    database = Database(settings.database)
    try:
        async with database.reading() as session:
            found = (await session.scalars(select(ModelVersion).where(ModelVersion.pair == PAIR))).all()
            return {row.version: row.status for row in found}
    finally:
        await database.close()


async def reconciled(settings: Settings) -> dict[str, str]:
    database = Database(settings.database)
    try:
        await reconcile(database, settings)
    finally:
        await database.close()
    return await rows(settings)


async def test_damaged_versions_do_not_keep_the_others_out(settings: Settings) -> None:
    found = await reconciled(settings)
    assert (found["default"], found["second"]) == ("current", "candidate")
    assert await reconciled(settings) == found, "a second time changes nothing"


async def test_a_damaged_pointer_leaves_the_status_and_stores_the_versions(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    (settings.data_dir / "models" / PAIR / "current.json").write_text("{")
    assert (await reconciled(settings))["second"] == "candidate"
    assert "nobody can tell which version is current" in caplog.text


def test_a_card_with_odd_ids_names_no_corrections(settings: Settings) -> None:
    for number in range(len(DAMAGES)):
        assert ancestry(model_roots(settings), PAIR, f"broken-{number}") == {}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_running_server_shows_what_failed_beside_translation(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it is that nobody has foreseen: it is logged, told and tried again, and the server translates."""
    calls = 0

    async def reconcile_badly(*_: object) -> None:
        nonlocal calls
        calls += 1
        raise ValueError(f"odd card in {settings.data_dir}")

    monkeypatch.setattr("app.versions.registry.reconcile", reconcile_badly)
    async with client_of(app_on(settings.database, settings.data_dir)) as client:
        ready = await until_problem(client)
        metrics = (await client.get("/metrics")).text
    assert (ready["status"], set(ready["background"])) == ("ready", {"model versions"})
    assert "ValueError" in ready["background"]["model versions"]
    assert str(settings.data_dir) not in json.dumps(ready)
    assert 'traghetto_background_failures_total{task="model versions"}' in metrics
    assert "Traceback" in caplog.text and calls >= 1


async def until_problem(client: httpx.AsyncClient) -> dict[str, Any]:
    """What it says of its readiness, once that is good and something else is not."""
    ready: list[httpx.Response] = []

    async def told() -> bool:
        ready.append(await client.get("/health/ready"))
        return ready[-1].status_code == 200 and bool(ready[-1].json().get("background"))

    await eventually(told, "it tells a problem, and is ready")
    return dict(ready[-1].json())

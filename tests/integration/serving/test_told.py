"""What clients are told when something is wrong with the models: the kind of problem, and no path of this machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import pytest
from databases import migrated
from fakes import FakeTranslator, ask, body, client_of, make_app, problem

from app.main import create_app
from app.settings import Settings

PAIR = "it-en"


def damaged(data_dir: Path, tiny_data_dir: Path, version: str) -> Path:
    """A data directory whose `version` has weights that were cut short."""
    shutil.copytree(tiny_data_dir / "models", data_dir / "models")
    weights = data_dir / "models" / PAIR / version / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    return data_dir


def app_of(data_dir: Path) -> object:
    settings = Settings(data_dir=data_dir, device="cpu")
    migrated(settings.database)
    return create_app(settings)


async def failure_of(client: httpx.AsyncClient) -> str:
    """What the answers of a server say that could not load its models."""
    found = problem(await ask(client, body("ciao")), 503, "not-ready")
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (503, "failed")
    assert ready.json()["detail"] == found["detail"]
    return found["detail"]


async def test_a_server_without_models_tells_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("model.versions.store.BUNDLED", tmp_path / "nothing")
    async with client_of(app_of(tmp_path)) as client:  # type: ignore[arg-type]
        detail = await failure_of(client)
    assert "there is no model; train one" in detail
    assert str(tmp_path) not in detail
    assert str(tmp_path) in caplog.text, "whoever runs the server must read where it looked"


async def test_a_server_with_a_damaged_model_tells_no_path(
    tmp_path: Path, tiny_data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with client_of(app_of(damaged(tmp_path, tiny_data_dir, "default"))) as client:  # type: ignore[arg-type]
        detail = await failure_of(client)
    assert "model.safetensors is not the file that the card describes" in detail
    assert f"{PAIR}/default" in detail and "/" not in detail.replace(f"{PAIR}/default", "")
    assert str(tmp_path) in caplog.text


async def test_a_loader_that_fails_unforeseen_tells_no_text(tmp_path: Path) -> None:
    def load() -> dict[str, FakeTranslator]:
        raise OSError(13, "Permission denied", str(tmp_path / "weights"))

    settings = Settings(data_dir=tmp_path)
    migrated(settings.database)
    async with client_of(create_app(settings, load)) as client:
        detail = await failure_of(client)
    assert detail == "The models could not be loaded: An unforeseen PermissionError; the log says more."


async def test_promoting_a_damaged_version_names_the_file_and_no_path(
    tmp_path: Path, tiny_data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with client_of(make_app(damaged(tmp_path, tiny_data_dir, "second"))) as client:
        refused = problem(await client.post(f"/v1/models/{PAIR}/second/promote"), 409, "conflict")
        missing = problem(await client.post(f"/v1/models/{PAIR}/nothing/promote"), 404, "not-found")
        reserved = problem(await client.post(f"/v1/models/{PAIR}/current.json/promote"), 404, "not-found")
    assert f"{PAIR}: second cannot be made" in refused["detail"] and "model.safetensors" in refused["detail"]
    assert str(tmp_path / "models" / PAIR / "second") in caplog.text
    assert "is not a version name" in reserved["detail"]
    assert str(tmp_path) not in json.dumps([refused, missing, reserved])


async def test_a_list_of_versions_tells_no_path(tmp_path: Path, tiny_data_dir: Path) -> None:
    folder = damaged(tmp_path, tiny_data_dir, "second") / "models" / PAIR / "second"
    (folder / "card.json").write_text("{}")
    (folder.parent / "empty").mkdir()
    async with client_of(make_app(tmp_path)) as client:
        listed = await client.get("/v1/models")
    problems = {one["version"]: one["problem"] for one in listed.json()["models"] if one["problem"]}
    assert set(problems) == {"second", "empty"}
    assert str(tmp_path) not in listed.text

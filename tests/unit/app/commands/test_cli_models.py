"""`traghetto models`: which version is current, and moving it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.commands.models import app
from model.errors import VersionDamaged, VersionError, VersionNotFound

PAIR = "it-en"


@pytest.fixture
def data_dir(tiny_data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of its own, with the tiny versions `default` and `second`."""
    shutil.copytree(tiny_data_dir / "models", tmp_path / "models")
    monkeypatch.setenv("TRAGHETTO_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TRAGHETTO_DEVICE", "cpu")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def said(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def current() -> list[str]:
    """What the listing marks, as JSON and as a table."""
    marked = [entry["version"] for entry in json.loads(said("list", "--json", "--pair", PAIR)) if entry["current"]]
    table = [line.split()[1] for line in said("list", "--pair", PAIR).splitlines() if " current " in line]
    assert table == marked
    return marked


@pytest.mark.usefixtures("data_dir")
def test_promote_and_roll_back() -> None:
    assert current() == ["default"]
    assert said("promote", PAIR, "second") == "it-en: the current version is second (it was default)\n"
    assert current() == ["second"]
    assert json.loads(said("show", PAIR))["version"] == "second", "what says 'current' follows"
    assert said("promote", PAIR, "second") == "it-en: the current version is second (as before)\n"
    assert said("rollback", PAIR) == "it-en: the current version is default (it was second)\n"
    assert current() == ["default"]


def test_what_cannot_be_moved_is_an_error_for_people(data_dir: Path) -> None:
    assert isinstance(run("rollback", PAIR).exception, VersionError)
    assert isinstance(run("promote", PAIR, "third").exception, VersionNotFound)
    weights = data_dir / "models" / PAIR / "second" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    assert isinstance(run("promote", PAIR, "second").exception, VersionDamaged)
    assert current() == ["default"]


def test_a_damaged_pointer_does_not_hide_the_versions(data_dir: Path) -> None:
    (data_dir / "models" / PAIR / "current.json").write_text("{", encoding="utf-8")
    assert current() == []
    assert isinstance(run("show", PAIR).exception, VersionDamaged)

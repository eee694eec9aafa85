"""`traghetto models`: which version is current, and moving it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.commands.models import app
from app.errors import SettingsError, StoreDown
from model.errors import VersionDamaged, VersionError, VersionNotFound
from model.versions.store import load, save

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


@pytest.fixture
def store(data_dir: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a store, which the settings name."""
    del data_dir
    folder = tmp_path_factory.mktemp("store")
    monkeypatch.setenv("TRAGHETTO_MODELS_URL", f"file://{folder}")
    return folder


@pytest.mark.usefixtures("store")
def test_what_is_pushed_is_listed_and_promoted_on_another_server(
    tiny_data_dir: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def places() -> dict[str, tuple[bool, bool]]:
        """Version -> whether it is here, and in the store."""
        listed = json.loads(said("list", "--json", "--pair", PAIR))
        return {one["version"]: (one["folder"] is not None, one["in_store"]) for one in listed}

    assert said("push", PAIR, "second") == "it-en/second is in the store now\n"
    assert said("push", PAIR, "second") == "it-en/second was in the store already\n"
    assert (places()["default"], places()["second"]) == ((True, False), (True, True))
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(tiny_data_dir / "models" / PAIR / "default", other / "models" / PAIR / "default")
    monkeypatch.setenv("TRAGHETTO_DATA_DIR", str(other))
    assert places()["second"] == (False, True)
    assert " store " in said("list").splitlines()[0]
    assert said("promote", PAIR, "second") == "it-en: the current version is second (it was default)\n"
    assert places()["second"] == (True, True)
    monkeypatch.delenv("TRAGHETTO_DATA_DIR")
    assert current() == ["second"], "the store is the truth, wherever one asks"


def test_a_store_that_is_away_hides_nothing_and_lets_nothing_move(store: Path) -> None:
    said("promote", PAIR, "second")
    shutil.rmtree(store)
    result = run("list", "--json", "--pair", PAIR)
    assert "cannot be used" in result.stderr
    assert {one["in_store"] for one in json.loads(result.stdout)} == {None}
    assert isinstance(run("promote", PAIR, "default").exception, StoreDown)
    assert isinstance(run("push", PAIR, "default").exception, StoreDown)


@pytest.mark.usefixtures("data_dir")
def test_without_a_store_there_is_nothing_to_push_to() -> None:
    assert isinstance(run("push", PAIR, "second").exception, SettingsError)


def test_a_damaged_pointer_does_not_hide_the_versions(data_dir: Path) -> None:
    (data_dir / "models" / PAIR / "current.json").write_text("{", encoding="utf-8")
    assert current() == []
    assert isinstance(run("show", PAIR).exception, VersionDamaged)


@pytest.mark.parametrize(
    ("shares", "told"),
    [(("=3", "=1"), "75% of second, 25% of other"), (("", ""), "50% of second, 50% of other")],
    ids=["shares", "alike"],
)
def test_average_writes_a_version_that_can_be_promoted(data_dir: Path, shares: tuple[str, str], told: str) -> None:
    shifted(data_dir, "other")
    arguments = ["second" + shares[0], "other" + shares[1], "--name", "mean", "--out", str(data_dir / "models")]
    result = run("average", PAIR, *arguments)
    assert (result.stdout, result.stderr) == (f"{data_dir / 'models' / PAIR / 'mean'}\n", f"{told}\n")
    said("promote", PAIR, "mean")
    assert current() == ["mean"]


def shifted(data_dir: Path, name: str) -> None:
    """Write version `name`: `second`, with another output bias."""
    second = load(data_dir / "models" / PAIR / "second")
    second.model.output.bias.data += 0.125
    save(data_dir / "models", PAIR, name, second.model, (second.source, second.target), {})


@pytest.mark.usefixtures("data_dir")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("second=much", "default=1"), "such as"),
        (("=1", "default=1"), "such as"),
        (("second", "second"), "twice"),
        (("second=0.7", "default"), "or none"),
    ],
    ids=["word", "nothing", "twice", "one share"],
)
def test_shares_that_are_none_are_wrong_usage(arguments: tuple[str, ...], told: str) -> None:
    result = run("average", PAIR, *arguments, "--name", "mean")
    assert result.exit_code == 2
    assert told in result.output

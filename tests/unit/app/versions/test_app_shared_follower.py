"""Following a store: what is current comes at once, what is pushed ahead of it; one that is away is waited for."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import eventually, wait_until

from app.metrics import Metrics
from app.settings import Settings
from app.versions.shared_follower import StoreFollower
from app.versions.shared_store import SharedStore
from model.versions import pointers

PAIR = "it-en"


class Server:
    """A data directory on the store of `folder`, and its follower, whose thread is not started."""

    def __init__(self, folder: Path, name: str) -> None:
        self.root = folder / name / "models"
        self.store = SharedStore(Settings(data_dir=folder / name), f"file://{folder / 'store'}")
        self.metrics, self.moves = Metrics(), 0
        self.follower = StoreFollower(self.store, self.metrics, self._moved)

    def _moved(self) -> None:
        self.moves += 1

    def look(self, *, was_told: bool = False) -> None:
        self.follower._look(was_told)

    @property
    def versions(self) -> set[str]:
        return {path.parent.name for path in self.root.glob(f"{PAIR}/*/card.json")}

    @property
    def current(self) -> str:
        return pointers.current([self.root], PAIR)

    @property
    def failures(self) -> float:
        return self.metrics.registry.get_sample_value("traghetto_model_store_failures_total") or 0.0


@pytest.fixture
def servers(tiny_data_dir: Path, tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """The first has the versions `default` and `second`."""
    (tmp_path / "store").mkdir()
    shutil.copytree(tiny_data_dir / "models", tmp_path / "one" / "models")
    yield Server(tmp_path, "one"), Server(tmp_path, "two")


def test_what_is_current_comes_and_the_swapper_is_told_once(servers: tuple[Server, Server]) -> None:
    one, two = servers
    two.look()
    assert (two.moves, two.current) == (0, "default")
    one.store.promote(PAIR, "second")
    two.look()
    two.look()
    assert (two.moves, two.current, two.versions) == (1, "second", {"second"})
    assert two.follower.problem is None


def test_what_is_pushed_while_it_runs_is_fetched_and_what_was_there_before_is_not(
    servers: tuple[Server, Server],
) -> None:
    one, two = servers
    one.store.push(PAIR, "default")
    two.look()
    one.store.push(PAIR, "second")
    two.look()
    assert two.versions == set(), "a listing costs more: it waits for its time"
    two.look(was_told=True)
    assert two.versions == {"second"}


def test_what_is_about_to_be_promoted_is_fetched_though_it_was_there_before(servers: tuple[Server, Server]) -> None:
    one, two = servers
    one.store.push(PAIR, "second")
    two.look()
    assert two.versions == set()
    two.follower.expect(PAIR, "second")
    two.look(was_told=True)
    assert (two.versions, two.current, two.moves) == ({"second"}, "default", 1), "the swapper can load it"
    two.follower.expect(PAIR, "nothing")
    two.look(was_told=True)
    assert two.follower.problem is None


def test_what_is_damaged_and_about_to_be_promoted_is_told(
    servers: tuple[Server, Server], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = servers
    one.store.push(PAIR, "second")
    two.look()
    (weights,) = (tmp_path / "store" / PAIR / "second").glob("model.safetensors.*")
    weights.write_bytes(b"?")
    two.follower.expect(PAIR, "second")
    two.look(was_told=True)
    assert "version second, which may be promoted, cannot be had" in caplog.text
    assert two.versions == set()


def test_what_a_rollback_would_need_is_fetched(servers: tuple[Server, Server]) -> None:
    one, two = servers
    one.store.promote(PAIR, "default")
    one.store.promote(PAIR, "second")
    two.look()
    assert two.versions == {"default", "second"}


def test_what_cannot_be_had_is_told_once_and_not_fetched_again_and_again(
    servers: tuple[Server, Server], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    one, two = servers
    one.store.promote(PAIR, "second")
    (weights,) = (tmp_path / "store" / PAIR / "second").glob("model.safetensors.*")
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + b"?")
    for _ in range(3):
        two.look()
    assert caplog.text.count("what is current for all cannot be had, this server stays behind") == 1
    assert (two.current, two.versions, two.moves) == ("default", set(), 0)
    assert "it-en: the current version cannot be fetched: what the store has is refused" in (two.follower.problem or "")
    assert str(tmp_path) not in (two.follower.problem or ""), "clients are not told of folders"
    weights.write_bytes(whole)
    two.look()
    assert two.current == "default", "not yet tried again"
    two.look(was_told=True)
    assert (two.current, two.follower.problem) == ("second", None)


def test_a_store_that_is_away_is_told_once_and_counted(
    servers: tuple[Server, Server], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    one, two = servers
    caplog.set_level(logging.INFO, "traghetto.store")
    one.store.promote(PAIR, "second")
    (tmp_path / "store").rename(tmp_path / "away")
    for _ in range(3):
        two.look()
    assert (two.failures, two.follower.problem) == (3, "The store of models does not answer.")
    assert caplog.text.count("versions are not kept up to date, what is here goes on") == 1
    (tmp_path / "away").rename(tmp_path / "store")
    two.look()
    assert (two.current, two.follower.problem) == ("second", None)
    assert caplog.text.count("answers again") == 1


async def test_the_thread_looks_by_itself_and_at_once_when_woken(
    servers: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = servers
    monkeypatch.setattr("app.versions.shared_follower.LOOK_EVERY_S", 600.0)
    two.follower.start()
    wait_until(lambda: two.follower._listed_at > 0, "it has looked")
    one.store.promote(PAIR, "second")
    two.follower.wake()
    await eventually(lambda: two.current == "second", "it looks when it is woken")
    await two.follower.stop()
    assert not two.follower._thread.is_alive()

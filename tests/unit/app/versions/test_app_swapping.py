"""Following the pointers: what takes over, what is refused and goes on being refused, and what serves after a start."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from fakes import FakeTranslator
from patience import eventually

from app.engine.engine import Engine
from app.engine.limits import EngineLimits
from app.errors import Conflict, NotReady
from app.metrics import Metrics
from app.settings import Settings
from app.versions.promotion import Promoter, promote, rollback
from app.versions.store import loader
from app.versions.swapping import Swapper
from model.errors import VersionDamaged, VersionError, VersionNotFound
from model.translator import Translator
from model.versions import pointers

LIMITS = EngineLimits(batch_tokens=4000, batch_sentences=64, queue_tokens=1000, max_beam=8)
PAIR = "it-en"


class Loads:
    """Stands for the models on disk: gives a fake of any version, except those in `broken`; keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.broken: dict[str, Exception] = {}

    def __call__(self, settings: Settings, pair: str, version: str) -> Translator:
        self.asked.append(version)
        if version in self.broken:
            raise self.broken[version]
        return FakeTranslator(pair, version)


class Server:
    """An engine and its swapper on a data directory with empty versions `a` and `b`; the thread is not started."""

    def __init__(self, data_dir: Path) -> None:
        for name in ("a", "b"):
            (data_dir / "models" / PAIR / name).mkdir(parents=True)
        self.root = data_dir / "models"
        self.metrics, self.loads = Metrics(), Loads()
        self.engine = Engine(lambda: {PAIR: FakeTranslator(version="default")}, LIMITS, self.metrics)
        self.swapper = Swapper(Settings(data_dir=data_dir), self.engine, self.metrics, self.loads)

    def point(self, version: str) -> None:
        pointers.promote([self.root], PAIR, version)

    async def look(self) -> str:
        """The version that serves after a look."""
        await asyncio.to_thread(self.swapper.look, PAIR, 5)
        return self.engine.versions[PAIR]

    def count(self, name: str) -> float:
        return self.metrics.registry.get_sample_value(f"traghetto_model_{name}_total", {"pair": PAIR}) or 0.0


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    made = Server(tmp_path)
    made.engine.start()
    await made.engine.wait_ready(5)
    yield made
    await made.engine.stop(5)


async def test_without_a_pointer_what_was_loaded_stays(server: Server) -> None:
    assert await server.look() == "default"
    assert server.loads.asked == []


async def test_a_pointer_is_followed_once_and_back(server: Server) -> None:
    await server.look()
    server.point("a")
    assert [await server.look() for _ in range(3)] == ["a"] * 3
    server.point("b")
    assert await server.look() == "b"
    pointers.rollback([server.root], PAIR)
    assert await server.look() == "a"
    assert server.loads.asked == ["a", "b", "a"], "a version is loaded when the pointer moves, and only then"
    (server.root / PAIR / "current.json").unlink()
    assert await server.look() == "default"
    assert (server.count("swaps"), server.count("refusals"), server.swapper.problem) == (4, 0, None)


async def test_a_pointer_that_moved_before_the_first_look_is_followed(server: Server) -> None:
    server.point("a")
    assert await server.look() == "a"


@pytest.mark.parametrize(
    "error",
    [
        VersionDamaged("weights were cut short"),
        NotReady("weights were cut short"),
        OSError(5, "weights were cut short"),
        RuntimeError("weights were cut short"),
    ],
)
async def test_what_cannot_be_used_is_refused_once_and_the_old_goes_on(
    server: Server, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    server.loads.broken["a"] = error
    server.point("a")
    assert [await server.look() for _ in range(3)] == ["default"] * 3
    assert server.loads.asked == ["a"], "what was refused must not be tried again and again"
    assert [record.levelname for record in caplog.records if "refused" in record.message] == ["ERROR"]
    assert "it-en: version a is refused, default goes on" in caplog.text
    assert server.count("refusals") == 1
    assert server.swapper.refused[PAIR].version == "a"
    assert "weights were cut short" in caplog.text
    expected = "cut short" if isinstance(error, VersionDamaged | NotReady) else type(error).__name__
    assert expected in (server.swapper.problem or ""), "what is not our own error is told by its kind only"
    server.point("b")
    assert await server.look() == "b"
    assert server.swapper.problem is None


async def test_a_refused_version_is_tried_again_when_it_is_promoted_again(server: Server) -> None:
    server.loads.broken["a"] = VersionDamaged("half copied")
    server.point("a")
    assert await server.look() == "default"
    server.loads.broken.clear()
    server.point("a")
    assert await server.look() == "a"
    assert server.swapper.problem is None


async def test_a_refused_version_is_tried_again_when_it_is_written_anew(server: Server) -> None:
    server.loads.broken["a"] = VersionDamaged("half copied")
    server.point("a")
    for _ in range(2):
        await server.look()
    assert server.loads.asked == ["a"]
    card = server.root / PAIR / "a" / "card.json"
    card.touch()
    assert [await server.look() for _ in range(2)] == ["default"] * 2
    assert server.loads.asked == ["a"] * 2, "it was tried once more, for nothing"
    server.loads.broken.clear()
    os.utime(card, ns=(0, card.stat().st_mtime_ns + 1))
    assert await server.look() == "a"
    assert server.swapper.problem is None


async def test_a_damaged_pointer_is_refused(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.point("a")
    await server.look()
    path = server.root / PAIR / "current.json"
    path.write_bytes(b'{"version": "b", ')
    assert [await server.look() for _ in range(3)] == ["a"] * 3
    path.unlink()
    path.mkdir()  # cannot even be read
    assert [await server.look() for _ in range(3)] == ["a"] * 3
    assert server.count("refusals") == 2
    assert server.swapper.problem == "it-en: the pointer is refused: the pointer cannot be read: Is a directory."
    assert str(path) in caplog.text, "the log names the file"
    assert "is not a pointer of ours" in caplog.text and "cannot be read" in caplog.text


async def test_the_thread_notices_within_a_second(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.versions.swapping.LOOK_EVERY_S", 0.01)
    server.swapper.start()
    server.point("a")
    await eventually(lambda: server.engine.versions[PAIR] == "a", "the thread looks at the pointer")
    await server.swapper.stop()
    assert not server.swapper._thread.is_alive(), "it must have ended"


async def test_the_thread_looks_at_once_when_it_is_woken(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.versions.swapping.LOOK_EVERY_S", 600.0)
    server.swapper.start()
    server.point("a")
    server.swapper.wake()
    await eventually(lambda: server.engine.versions[PAIR] == "a", "the thread looks at the pointer")
    await server.swapper.stop()
    assert not server.swapper._thread.is_alive(), "it must not sleep on"


async def test_it_waits_until_the_engine_is_ready_and_ends_with_it(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.point("a")
    server.swapper.look(PAIR, 1)
    assert server.loads.asked == []
    server.engine.start()
    await server.engine.wait_ready(5)
    await server.engine.stop(5)
    server.swapper.look(PAIR, 1)
    assert server.loads.asked == [], "nothing is loaded for a server that goes down"


# --- what is about to be promoted


async def test_what_is_expected_is_loaded_ahead_and_takes_over_at_once(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.versions.swapping.LOOK_EVERY_S", 600.0)
    server.swapper.start()
    server.swapper.expect(PAIR, "a")
    await eventually(lambda: server.loads.asked == ["a"], "it is loaded")
    assert server.engine.versions[PAIR] == "default", "nobody has promoted it"
    server.point("a")
    server.swapper.wake()
    await eventually(lambda: server.engine.versions[PAIR] == "a", "it takes over")
    await server.swapper.stop()
    assert (server.loads.asked, server.swapper._held) == (["a"], {})


async def test_what_is_not_promoted_is_let_go(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.swapper.expect(PAIR, "a")
    server.swapper._get_ready(PAIR)
    assert server.swapper._held[PAIR].version == "a"
    monkeypatch.setattr("app.versions.swapping.HELD_S", 0.0)
    server.swapper.expect(PAIR, "a")
    server.swapper._get_ready(PAIR)
    assert (server.swapper._held, server.swapper._expected) == ({}, {})
    assert (server.loads.asked, server.engine.versions[PAIR]) == (["a"], "default")


async def test_what_the_engine_does_not_take_is_let_go(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Translator) -> None:
        raise RuntimeError("out of memory")

    server.swapper.load_ahead(PAIR, "a")
    monkeypatch.setattr(server.engine, "replace", full)
    server.point("a")
    assert (await server.look(), server.count("refusals")) == ("default", 1)
    assert (server.swapper._held, server.swapper._expected) == ({}, {})


async def test_another_that_comes_meanwhile_is_loaded_next(server: Server) -> None:
    load = server.swapper._load

    def told_meanwhile(settings: Settings, pair: str, version: str) -> Translator:
        if version == "a":
            server.swapper.expect(PAIR, "b")
        return load(settings, pair, version)

    server.swapper._load = told_meanwhile
    server.point("a")
    assert await server.look() == "a"
    server.swapper._get_ready(PAIR)
    server.point("b")
    assert await server.look() == "b"
    assert server.loads.asked == ["a", "b"]


async def test_what_could_not_be_loaded_ahead_is_not_tried_again(server: Server) -> None:
    server.loads.broken["a"] = VersionDamaged("half copied")
    with pytest.raises(VersionDamaged):
        server.swapper.load_ahead(PAIR, "a")
    server.swapper._get_ready(PAIR)
    assert server.loads.asked == ["a"]


async def test_what_is_expected_and_not_here_yet_is_waited_for(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.loads.broken["a"] = VersionNotFound("it is being fetched")
    server.swapper.expect(PAIR, "a")
    for _ in range(2):
        server.swapper._get_ready(PAIR)
    server.loads.broken.clear()
    for _ in range(2):
        server.swapper._get_ready(PAIR)
    assert server.loads.asked == ["a"] * 3
    assert not caplog.records


async def test_what_is_expected_and_damaged_is_told_and_refused_when_it_is_promoted(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.loads.broken["a"] = VersionDamaged("half copied")
    server.swapper.expect(PAIR, "a")
    for _ in range(2):
        server.swapper._get_ready(PAIR)
    assert server.loads.asked == ["a"]
    assert "it-en: version a, which may be promoted, cannot be used: half copied" in caplog.text
    server.point("a")
    assert (await server.look(), server.count("refusals")) == ("default", 1)


async def test_what_was_written_anew_while_it_was_held_is_loaded_anew(server: Server) -> None:
    server.swapper.load_ahead(PAIR, "a")
    (server.root / PAIR / "a" / "card.json").touch()
    server.point("a")
    assert await server.look() == "a"
    assert server.loads.asked == ["a", "a"]


async def test_another_that_is_expected_takes_its_place(server: Server) -> None:
    for version in ("a", "b"):
        server.swapper.expect(PAIR, version)
        server.swapper._get_ready(PAIR)
    assert server.swapper._held[PAIR].version == "b"
    server.point("a")
    assert await server.look() == "a"
    assert server.loads.asked == ["a", "b", "a"]


async def test_a_promotion_by_a_route_loads_once(server: Server, tmp_path: Path) -> None:
    promoter = Promoter(Settings(data_dir=tmp_path), server.engine, server.swapper)
    await server.look()
    followed = await promoter.promote(PAIR, "a")
    assert (followed.loaded, server.engine.versions[PAIR], server.loads.asked) == (True, "a", ["a"])
    server.loads.broken["b"] = VersionDamaged("half copied")
    with pytest.raises(Conflict, match="half copied"):
        await promoter.promote(PAIR, "b")
    assert pointers.current([server.root], PAIR) == "a"


# --- with real, tiny models: moving the pointer, and the start of a server


@pytest.fixture
def settings(tiny_data_dir: Path, tmp_path: Path) -> Settings:
    """A data directory of its own with the tiny versions `default` and `second`."""
    shutil.copytree(tiny_data_dir / "models", tmp_path / "models")
    return Settings(data_dir=tmp_path, device="cpu", torch_threads=1)


def damage(settings: Settings, version: str) -> None:
    path = settings.data_dir / "models" / PAIR / version / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def serves(settings: Settings) -> str:
    """The version that a server would start with."""
    return loader(settings)()[PAIR].version


def test_promote_checks_before_it_moves(settings: Settings) -> None:
    roots = [settings.data_dir / "models"]
    assert promote(settings, PAIR, "second").previous == "default"
    assert pointers.current(roots, PAIR) == "second"
    damage(settings, "default")
    with pytest.raises(VersionDamaged, match="SHA-256 differs"):
        promote(settings, PAIR, "default")
    with pytest.raises(VersionDamaged, match=r"cannot go back to default; promote another.*SHA-256"):
        rollback(settings, PAIR)
    with pytest.raises(VersionNotFound, match="nothing"):
        promote(settings, PAIR, "nothing")
    with pytest.raises(VersionError, match="no longer default"):
        promote(settings, PAIR, "second", expected="default")
    assert pointers.current(roots, PAIR) == "second"


@pytest.mark.parametrize("move", ["promote", "rollback"])
def test_servers_are_told_before_the_version_is_tested_and_after_the_pointer_moved(
    settings: Settings, move: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    if move == "rollback":
        for version in ("default", "second"):
            promote(settings, PAIR, version)
    monkeypatch.setattr(
        "app.versions.promotion.notify",
        lambda _url, pair, version, is_coming=False: told.append((pair, version, is_coming)),
    )
    version = {"promote": "second", "rollback": "default"}[move]
    call = partial(promote, settings, PAIR, version) if move == "promote" else partial(rollback, settings, PAIR)
    call(load=lambda pair, version: told.append(f"{pair}/{version} is tested"))
    assert told == [(PAIR, version, True), f"{PAIR}/{version} is tested", (PAIR, version, False)]
    told.clear()
    with pytest.raises(VersionNotFound):
        promote(settings, PAIR, "nothing")
    assert not told, "nobody looks for what is not there"


def test_promote_refuses_what_the_server_could_not_batch(settings: Settings) -> None:
    with pytest.raises(NotReady, match="TRAGHETTO_BATCH_TOKENS"):
        promote(settings.model_copy(update={"batch_tokens": 100}), PAIR, "second")
    assert pointers.read(settings.data_dir / "models", PAIR) is None


def test_a_server_starts_with_the_current_version_and_says_so(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert serves(settings) == "default"
    assert "promoted" not in caplog.text
    promote(settings, PAIR, "second")
    assert serves(settings) == "second"
    assert "it-en: version second serves, not the default: it was promoted" in caplog.text
    rollback(settings, PAIR)
    assert serves(settings) == "default"


def test_a_server_starts_with_the_newest_version_that_can_be_used(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    root = settings.data_dir / "models"
    (root / PAIR / "third").mkdir()
    for version in ("second", "third"):
        pointers.promote([root], PAIR, version)
    assert serves(settings) == "second", "third has no files"
    damage(settings, "second")
    assert serves(settings) == "default"
    assert caplog.text.count("cannot be used, an earlier one is taken") == 3
    (root / PAIR / "current.json").write_bytes(b"")
    assert serves(settings) == "default"
    assert "nobody can tell which version is current" in caplog.text


def test_with_a_small_batch_a_server_still_starts(settings: Settings) -> None:
    """The promoted version may have been promoted under other settings."""
    promote(settings, PAIR, "second")
    assert serves(settings.model_copy(update={"batch_tokens": 100})) == "default"

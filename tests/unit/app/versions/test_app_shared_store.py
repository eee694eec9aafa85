"""A store that servers share: versions whole or not at all, pointers that two never move from the same place."""

from __future__ import annotations

import functools
import hashlib
import itertools
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import StoreDown
from app.languages import PAIRS
from app.settings import Settings
from app.versions.promotion import promote, rollback
from app.versions.shared_objects import Objects
from app.versions.shared_pointers import PointerSeries
from app.versions.shared_store import SharedStore
from model.errors import VersionDamaged, VersionError, VersionNotFound
from model.versions import pointers
from model.versions.pointers import Move, Pointer, promoted
from model.versions.store import verify

PAIR = "it-en"


@pytest.fixture
def servers(tiny_data_dir: Path, tmp_path: Path, store_url: str) -> tuple[Settings, Settings]:
    """Two on one store; the first has versions `default` and `second`, the other none."""
    shutil.copytree(tiny_data_dir / "models", tmp_path / "one" / "models")
    (tmp_path / "two").mkdir()
    return tuple(
        Settings(data_dir=tmp_path / name, models_url=store_url, device="cpu", torch_threads=1)
        for name in ("one", "two")
    )  # type: ignore[return-value]


def opened(settings: Settings) -> SharedStore:
    """Always the same for the same settings: a client of S3 takes half a second to make."""
    return _opened(settings.data_dir, settings.models_url or "")


@functools.cache
def _opened(data_dir: Path, url: str) -> SharedStore:
    return SharedStore(Settings(data_dir=data_dir), url)


def promoted_by(settings: Settings, version: str, expected: str | None = None) -> Move:
    return promote(settings, PAIR, version, expected, opened(settings))


def rolled_back_by(settings: Settings) -> Move:
    return rollback(settings, PAIR, opened(settings))


def root_of(settings: Settings) -> Path:
    return settings.data_dir / "models"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_objects_are_created_once_and_listed(store_url: str) -> None:
    objects = Objects(store_url)
    assert (objects.names("it-en"), objects.read("it-en/a"), objects.size("it-en/a")) == ([], None, None)
    assert objects.create("it-en/a", b"first")
    assert not objects.create("it-en/a", b"second")
    assert objects.create("it-en/a", b"first"), "an answer may get lost, and the client tries again"
    assert objects.create("it-en/b/c", b"deep")
    assert (objects.read("it-en/a"), objects.size("it-en/a")) == (b"first", 5)
    assert objects.names("it-en") == ["a", "b"]


def test_a_store_that_writes_over_what_is_there_is_found_out(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = Objects(s3_url)
    store = objects._open()
    write = store.pipe_file
    monkeypatch.setattr(store, "pipe_file", lambda path, content, mode: write(path, content))
    with pytest.raises(StoreDown, match="writes over what is there"):
        objects.create("it-en/a", b"first")
    assert objects.names("it-en") == [], "it was found out by an object that nobody reads"


def test_of_two_that_create_the_same_object_one_is_late(store_url: str) -> None:
    both = threading.Barrier(2)
    won: list[tuple[int, bytes]] = []

    def create(who: int) -> None:
        objects = Objects(store_url)
        for turn in range(20):
            both.wait(20)
            if objects.create(f"it-en/{turn}", content := f"by {who}".encode()):
                won.append((turn, content))

    _at_once(lambda: create(1), lambda: create(2))
    assert sorted(turn for turn, _ in won) == [*range(20)]
    objects = Objects(store_url)
    assert all(objects.read(f"it-en/{turn}") == content for turn, content in won)


def test_two_movers_lose_no_move_and_never_begin_from_the_same_pointer(store_url: str) -> None:
    moves: list[Move] = []

    def mover(name: str) -> None:
        series = PointerSeries(Objects(store_url))
        for number in range(10):
            move, _ = series.move(PAIR, lambda before, number=number: promoted(before, f"{name}{number}"))
            moves.append(move)

    _at_once(lambda: mover("a"), lambda: mover("b"))
    newest = PointerSeries(Objects(store_url)).newest(PAIR)
    assert newest is not None and newest.number == 20
    seen = (*newest.pointer.history, newest.pointer.version)
    assert len(seen) == 21 and set(seen[1:]) == {f"{name}{number}" for name in "ab" for number in range(10)}
    assert sorted(itertools.pairwise(seen)) == sorted((move.previous, move.version) for move in moves)


def test_a_move_on_a_condition_is_won_by_one(store_url: str) -> None:
    """Each of two moves only if what it has seen is still current: 20 times one of them is told that it is late."""
    ends: list[str] = []
    both = threading.Barrier(2)

    def mover(name: str) -> None:
        series = PointerSeries(Objects(store_url))
        for number in range(20):
            newest = series.newest(PAIR)
            current = newest.pointer.version if newest else "default"
            both.wait(20)
            try:
                series.move(PAIR, lambda before, number=number: promoted(before, f"{name}{number}"), current)
                ends.append("won")
            except VersionError as error:
                assert "no longer" in str(error)
                ends.append("late")
            both.wait(20)

    _at_once(lambda: mover("a"), lambda: mover("b"))
    assert (ends.count("won"), ends.count("late")) == (20, 20)


def _at_once(*works: Callable[[], None]) -> None:
    problems: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told to the test
            problems.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []


def test_a_version_comes_to_another_server_as_it_was(servers: tuple[Settings, Settings]) -> None:
    one, two = servers
    with pytest.raises(VersionNotFound, match="no version second"):
        opened(two).versions.fetch(PAIR, "second")
    assert opened(one).push(PAIR, "second")
    assert not opened(one).push(PAIR, "second"), "it is there"
    assert opened(two).versions.fetch(PAIR, "second")
    assert not opened(two).versions.fetch(PAIR, "second")
    assert files(root_of(two) / PAIR / "second") == files(root_of(one) / PAIR / "second")
    assert verify(root_of(two) / PAIR / "second").version == "second"
    assert {path.name for path in (root_of(two) / PAIR).iterdir()} == {"second"}, "nothing is left behind"


def test_a_push_that_was_killed_is_no_version_and_the_next_one_takes_it_up(
    servers: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = servers
    sent: list[str] = []
    send = Objects.send

    def dies(self: Objects, file: Path, name: str) -> None:
        if len(sent) == 2:
            raise KeyboardInterrupt
        sent.append(name)
        send(self, file, name)

    with monkeypatch.context() as dying:
        dying.setattr(Objects, "send", dies)
        with pytest.raises(KeyboardInterrupt):
            opened(one).push(PAIR, "second")
    assert opened(two).versions.names(PAIR) == ["second"]
    assert (opened(two).versions.card(PAIR, "second"), opened(two).versions.listing(PAIR)) == (None, {})
    with pytest.raises(VersionNotFound):
        opened(two).versions.fetch(PAIR, "second")
    with pytest.raises(VersionNotFound):
        promoted_by(two, "second")
    assert opened(one).push(PAIR, "second")
    opened(two).versions.fetch(PAIR, "second")


def test_what_is_damaged_in_the_store_is_refused_and_nothing_stays(servers: tuple[Settings, Settings]) -> None:
    one, two = servers
    opened(one).push(PAIR, "second")
    objects = Objects(one.models_url or "")
    (weights,) = [name for name in objects.names(f"{PAIR}/second") if name.startswith("model.safetensors")]
    damaged = two.data_dir / "damaged"
    damaged.write_bytes((root_of(one) / PAIR / "second" / "model.safetensors").read_bytes()[:-1] + b"?")
    objects.send(damaged, f"{PAIR}/second/{weights}")
    with pytest.raises(VersionDamaged, match="SHA-256 differs"):
        opened(two).versions.fetch(PAIR, "second")
    assert list((root_of(two) / PAIR).iterdir()) == []
    with pytest.raises(VersionDamaged, match="SHA-256 differs"):
        promoted_by(two, "second")
    assert opened(two).current(PAIR) is None


def test_two_versions_of_one_name_never_mix(servers: tuple[Settings, Settings], tiny_data_dir: Path) -> None:
    one, two = servers
    opened(one).push(PAIR, "second")
    folder = root_of(two) / PAIR / "second"
    shutil.copytree(tiny_data_dir / "models" / PAIR / "second", folder)
    card = (folder / "card.json").read_text()
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    other = hashlib.sha256((folder / "config.json").read_bytes()).hexdigest()
    mine = hashlib.sha256((root_of(one) / PAIR / "second" / "config.json").read_bytes()).hexdigest()
    (folder / "card.json").write_text(card.replace(mine, other))
    for act in (
        lambda: opened(two).push(PAIR, "second"),
        lambda: opened(two).versions.fetch(PAIR, "second"),
        lambda: promoted_by(two, "second"),
    ):
        with pytest.raises(VersionError, match="another version than the one here"):
            act()
    assert opened(one).current(PAIR) is None


def test_names_out_of_the_store_lead_nowhere(servers: tuple[Settings, Settings]) -> None:
    one, two = servers
    opened(one).push(PAIR, "second")
    objects = Objects(one.models_url or "")
    text = (objects.read(f"{PAIR}/second/card.json") or b"").decode()
    for name, content in (
        ("third", text),
        ("fourth", text.replace('"second"', '"fourth"').replace("config.json", "../x")),
    ):
        objects.create(f"{PAIR}/{name}/card.json", content.encode())
        with pytest.raises(VersionDamaged):
            opened(two).versions.fetch(PAIR, name)
    objects.create(f"{PAIR}/fifth/card.json", b"\xff")
    assert set(opened(two).versions.listing(PAIR)) == {"second", "third", "fourth", "fifth"}


def test_promotion_moves_the_pointer_of_all(servers: tuple[Settings, Settings]) -> None:
    one, two = servers
    assert promoted_by(one, "second") == Move(PAIR, "second", "default")
    assert pointers.current([root_of(one)], PAIR) == "second", "who has moved it follows at once"
    assert opened(two).follow(PAIR)
    assert not opened(two).follow(PAIR)
    assert pointers.current([root_of(two)], PAIR) == "second"
    assert (root_of(two) / PAIR / "second").is_dir()
    assert pointers.read_bytes(root_of(one), PAIR) == pointers.read_bytes(root_of(two), PAIR)
    with pytest.raises(VersionError, match="no longer default"):
        promoted_by(two, "second", "default")
    assert rolled_back_by(two) == Move(PAIR, "default", "second")
    opened(one).follow(PAIR)
    assert pointers.current([root_of(one)], PAIR) == "default"
    with pytest.raises(VersionError, match="nothing to go back to"):
        rolled_back_by(one)


def test_what_a_server_had_promoted_before_goes_into_the_store(servers: tuple[Settings, Settings]) -> None:
    one, two = servers
    alone = one.model_copy(update={"models_url": None})
    promote(alone, PAIR, "second")
    assert not opened(one).follow(PAIR), "an empty store takes nothing back"
    assert rolled_back_by(one) == Move(PAIR, "default", "second")
    assert opened(two).follow(PAIR)
    same = [verify(root_of(server) / PAIR / "default").files for server in (one, two)]
    assert same[0] == same[1], "its own default went along, and not everybody's"
    assert promoted_by(one, "second").previous == "default"
    current = opened(one).current(PAIR)
    assert current is not None and (current.version, current.history) == ("second", ("default",))


def test_a_version_that_came_with_the_program_is_promoted_and_not_pushed(servers: tuple[Settings, Settings]) -> None:
    _, two = servers
    with pytest.raises(VersionError, match="came with the program"):
        opened(two).push(PAIR, "default")
    opened(two).promote(PAIR, "default")
    assert opened(two).versions.names(PAIR) == []
    assert opened(two).current(PAIR) == pointers.read(root_of(two), PAIR)


def test_what_a_version_descends_from_goes_with_it(servers: tuple[Settings, Settings]) -> None:
    one, two = servers
    for child, parent in (("third", "second"), ("fourth", "third")):
        folder = root_of(one) / PAIR / child
        shutil.copytree(root_of(one) / PAIR / "second", folder)
        card = (folder / "card.json").read_text().replace('"version": "second"', f'"version": "{child}"')
        (folder / "card.json").write_text(card.replace('"parent": null', f'"parent": "{PAIR}/{parent}"'))
    assert opened(one).push(PAIR, "fourth")
    assert set(opened(two).versions.listing(PAIR)) == {"second", "third", "fourth"}
    opened(one).promote(PAIR, "fourth")
    opened(two).follow(PAIR)
    assert {path.name for path in (root_of(two) / PAIR).glob("[a-z]*/")} == {"fourth"}
    opened(two).catch_up(PAIR)
    assert {path.name for path in (root_of(two) / PAIR).glob("[a-z]*/")} == {"second", "third", "fourth"}


@pytest.mark.parametrize("parent", ["default of the evening", ".."])
def test_a_parent_that_is_told_in_words_is_none(servers: tuple[Settings, Settings], parent: str) -> None:
    one, two = servers
    card = root_of(one) / PAIR / "second" / "card.json"
    card.write_text(card.read_text().replace('"parent": null', f'"parent": "{PAIR}/{parent}"'))
    opened(one).promote(PAIR, "second")
    opened(two).catch_up(PAIR)
    assert (root_of(two) / PAIR / "second").is_dir()


@pytest.mark.weights
@pytest.mark.parametrize("pair", PAIRS)
def test_a_server_that_has_what_was_shipped_alone_is_up_to_date(pair: str, tmp_path: Path) -> None:
    """Else no retraining of it begins."""
    (tmp_path / "store").mkdir()
    shipped = SharedStore(Settings(data_dir=tmp_path / "data"), f"file://{tmp_path / 'store'}")
    shipped.catch_up(pair)
    shipped.provide_ancestors(pair, "default")
    assert shipped.versions.names(pair) == []


def test_what_is_offered_is_there_for_all_and_current_for_none(servers: tuple[Settings, Settings]) -> None:
    one, two = servers
    opened(two).promote(PAIR, "default")
    with pytest.raises(VersionError, match="no longer second"):
        opened(one).offer(PAIR, "second", "second")
    assert opened(two).versions.names(PAIR) == []
    opened(one).offer(PAIR, "second", "default")
    assert opened(two).versions.fetch(PAIR, "second")
    current = opened(two).current(PAIR)
    assert current is not None and current.version == "default"


def test_a_store_that_is_away_is_not_an_empty_one(
    servers: tuple[Settings, Settings], store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = servers
    promoted_by(one, "second")
    away = store_url.replace("/store", "/away") if store_url.startswith("file") else "s3://traghetto-away/models"
    gone = one.model_copy(update={"models_url": away})
    for act in (
        lambda: opened(gone).current(PAIR),
        lambda: opened(gone).versions.names(PAIR),
        lambda: promoted_by(gone, "default"),
        lambda: rolled_back_by(gone),
    ):
        with pytest.raises(StoreDown, match="cannot be used"):
            act()
    assert pointers.current([root_of(one)], PAIR) == "second"


def test_a_damaged_pointer_is_named(servers: tuple[Settings, Settings]) -> None:
    one, _ = servers
    promoted_by(one, "second")
    Objects(one.models_url or "").create(f"{PAIR}/_pointer/000000000002.json", b'{"version": "..')
    with pytest.raises(VersionDamaged, match=r"000000000002\.json: this is not a pointer of ours"):
        opened(one).follow(PAIR)
    assert pointers.current([root_of(one)], PAIR) == "second"


def test_a_copy_that_went_back_is_brought_forward_again(servers: tuple[Settings, Settings]) -> None:
    one, two = servers
    promoted_by(one, "second")
    store = opened(two)
    store.follow(PAIR)
    pointers.adopt(root_of(two), PAIR, lambda: Pointer("default"))
    (root_of(two) / PAIR / "current.json").write_bytes(b"{")
    assert store.follow(PAIR)
    shutil.rmtree(root_of(two) / PAIR / "second")
    assert store.follow(PAIR), "whoever did not find it tries again"
    assert (root_of(two) / PAIR / "second").is_dir()


def test_a_store_that_goes_away_right_after_a_move_has_moved(
    servers: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = servers
    opened(one).push(PAIR, "second")
    store = SharedStore(one, one.models_url or "")

    def away(pair: str) -> bool:
        raise StoreDown("the store does not answer")

    monkeypatch.setattr(store, "follow", away)
    assert store.promote(PAIR, "second").version == "second"
    assert opened(two).follow(PAIR), "for all others"


def test_an_answer_that_got_lost_is_looked_for(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = Objects(store_url)
    create = objects.create

    def created_unheard(name: str, content: bytes) -> bool:
        create(name, content)
        raise StoreDown("the connection was closed")

    monkeypatch.setattr(objects, "create", created_unheard)
    move, _ = PointerSeries(objects).move(PAIR, lambda before: promoted(before, "second"))
    assert move == Move(PAIR, "second", "default")


def damage(folder: Path) -> None:
    """Change the last byte of its weights, as a disk may."""
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")


def test_a_damaged_copy_is_fetched_anew_when_it_is_promoted_again(servers: tuple[Settings, Settings]) -> None:
    one, two = servers
    promoted_by(one, "second")
    opened(two).follow(PAIR)
    damage(root_of(two) / PAIR / "second")
    assert not opened(two).versions.fetch(PAIR, "second"), "not all of it is read again at each look"
    assert promoted_by(two, "second").version == "second"
    assert files(root_of(two) / PAIR / "second") == files(root_of(one) / PAIR / "second")
    assert {path.name for path in (root_of(two) / PAIR).glob("[a-z]*/")} == {"second"}, "nothing is left behind"


def test_a_server_that_starts_mends_its_copy(servers: tuple[Settings, Settings]) -> None:
    one, two = servers
    promoted_by(one, "second")
    opened(two).follow(PAIR)
    folder = root_of(two) / PAIR / "second"
    damage(folder)
    started = SharedStore(two, two.models_url or "")
    assert started.follow(PAIR), "whoever has refused it tries again"
    assert verify(folder).version == "second"
    assert not started.follow(PAIR)
    damage(folder)
    assert not started.follow(PAIR), "it has looked, and does not hash at each look"
    promoted_by(one, "second")
    assert started.follow(PAIR), "it was promoted again, and the pointer is followed at once"
    assert started.follow(PAIR) and verify(folder).version == "second", "then the copy is mended"


def test_a_copy_that_cannot_be_mended_stays(servers: tuple[Settings, Settings], store_url: str) -> None:
    one, two = servers
    promoted_by(one, "second")
    opened(two).follow(PAIR)
    folder = root_of(two) / PAIR / "second"
    damage(folder)
    objects = Objects(store_url)
    (weights,) = [name for name in objects.names(f"{PAIR}/second") if name.startswith("model.safetensors")]
    objects.send(folder / "model.safetensors", f"{PAIR}/second/{weights}")
    before = files(folder)
    with pytest.raises(VersionDamaged, match="what the store has is refused"):
        SharedStore(two, store_url).follow(PAIR)
    assert files(folder) == before


def test_what_was_not_compared_with_the_current_version_is_not_pushed(servers: tuple[Settings, Settings]) -> None:
    one, two = servers
    opened(two).promote(PAIR, "default")
    promoted_by(one, "default")
    third = root_of(one) / PAIR / "third"
    shutil.copytree(root_of(one) / PAIR / "second", third)
    (third / "card.json").write_text((third / "card.json").read_text().replace('"second"', '"third"'))
    with pytest.raises(VersionError, match="no longer second"):
        promoted_by(one, "third", "second")
    assert opened(two).versions.card(PAIR, "third") is None
    assert promoted_by(one, "third", "default").version == "third"

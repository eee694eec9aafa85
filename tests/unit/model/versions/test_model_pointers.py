"""The pointer of a pair: moved whole or not at all, by one at a time, and followed by whatever says 'current'."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from model.errors import VersionDamaged, VersionError, VersionNotFound
from model.versions import pointers
from model.versions.pointers import Move, current, promote, read, rollback
from model.versions.store import find, list_versions

ROOT = Path(__file__).parents[4]
PAIR = "it-en"


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    """A root that is written to, with versions a, b and c; and a bundled one with `default` and `old`."""
    for place, names in (("var", "abc"), ("bundled", ("default", "old"))):
        for name in names:
            (tmp_path / place / PAIR / name).mkdir(parents=True)
    return [tmp_path / "var", tmp_path / "bundled"]


def history(roots: list[Path]) -> tuple[str, ...]:
    pointer = read(roots[0], PAIR)
    assert pointer is not None
    return (*pointer.history, pointer.version)


def test_promotions_are_remembered_and_taken_back_one_by_one(roots: list[Path]) -> None:
    assert read(roots[0], PAIR) is None
    assert current(roots, PAIR) == "default"
    assert promote(roots, PAIR, "a") == Move(PAIR, "a", "default")
    assert promote(roots, PAIR, "b") == Move(PAIR, "b", "a")
    assert promote(roots, PAIR, "a") == Move(PAIR, "a", "b")
    assert history(roots) == ("default", "a", "b", "a")
    assert [rollback(roots, PAIR).version for _ in range(3)] == ["b", "a", "default"]
    assert history(roots) == ("default",)
    with pytest.raises(VersionError, match="no version of it-en was current before default"):
        rollback(roots, PAIR)
    assert current(roots, PAIR) == "default"


def test_a_version_that_came_with_the_program_can_be_promoted(roots: list[Path]) -> None:
    promote(roots, PAIR, "old")
    assert find(roots, PAIR) == roots[1] / PAIR / "old"
    assert not (roots[1] / PAIR / "current.json").exists(), "the package is read-only"


def test_promoting_the_current_version_keeps_the_history_and_renews_the_file(roots: list[Path]) -> None:
    promote(roots, PAIR, "a")
    before = pointers.read_bytes(roots[0], PAIR)
    assert promote(roots, PAIR, "a") == Move(PAIR, "a", "a")
    assert history(roots) == ("default", "a")
    assert pointers.read_bytes(roots[0], PAIR) != before, "servers that refused the version must look again"


def test_what_says_current_follows_the_pointer(roots: list[Path]) -> None:
    assert find(roots, PAIR) == roots[1] / PAIR / "default"
    promote(roots, PAIR, "b")
    assert find(roots, PAIR) == roots[0] / PAIR / "b"
    assert find(roots, PAIR, "default") == roots[1] / PAIR / "default", "a version that is named is not changed"
    rollback(roots, PAIR)
    assert find(roots, PAIR) == roots[1] / PAIR / "default"


def test_a_listing_shows_versions_only(roots: list[Path]) -> None:
    promote(roots, PAIR, "a")
    assert [info.version for info in list_versions(roots)] == ["a", "b", "c", "default", "old"]


def test_what_is_not_there_cannot_be_promoted(roots: list[Path]) -> None:
    for pair, version in ((PAIR, "nothing"), ("fr-de", "a")):
        with pytest.raises(VersionNotFound, match=version):
            promote(roots, pair, version)
    for pair, version in ((PAIR, "../b"), ("../it-en", "a"), (PAIR, "")):
        with pytest.raises(VersionError, match="not a"):
            promote(roots, pair, version)
    with pytest.raises(VersionError, match="nothing to go back to"):
        rollback(roots, "fr-de")
    assert sorted(path.name for path in roots[0].iterdir()) == [PAIR], "a refusal must not leave folders behind"
    assert read(roots[0], PAIR) is None


def test_a_rollback_to_a_version_that_is_gone_is_refused(roots: list[Path]) -> None:
    promote(roots, PAIR, "a")
    promote(roots, PAIR, "b")
    (roots[0] / PAIR / "a").rmdir()
    with pytest.raises(VersionNotFound, match="no version a of it-en"):
        rollback(roots, PAIR)
    assert history(roots) == ("default", "a", "b")


def test_a_pointer_to_a_version_that_is_gone_is_said(roots: list[Path]) -> None:
    promote(roots, PAIR, "a")
    (roots[0] / PAIR / "a").rmdir()
    with pytest.raises(VersionNotFound, match="a of it-en, which is said to be the current one"):
        find(roots, PAIR)


def test_a_move_on_a_condition_is_refused_when_somebody_was_faster(roots: list[Path]) -> None:
    promote(roots, PAIR, "a", expected="default")
    with pytest.raises(VersionError, match="is a by now, no longer default"):
        promote(roots, PAIR, "b", expected="default")
    with pytest.raises(VersionError, match="no longer b"):
        rollback(roots, PAIR, expected="b")
    assert history(roots) == ("default", "a")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "JSON"),
        (b'{"version": "a", "hist', "JSON"),
        (b"[]", "JSON object"),
        (b"\xff\xfe", "decode"),
        (b"{}", "version"),
        (b'{"version": 7}', "not a version name"),
        (b'{"version": "../../etc"}', "not a version name"),
        (b'{"version": "a", "history": ["..", "b"]}', "not a version name"),
        (b'{"version": "a", "history": "b"}', "history must be a list"),
        (b'{"version": "a", "format": 2}', "format 2"),
        (b'{"version": "a", "colour": "red"}', "colour"),
    ],
)
def test_a_damaged_pointer_is_named_and_never_guessed(roots: list[Path], content: bytes, message: str) -> None:
    path = roots[0] / PAIR / "current.json"
    path.write_bytes(content)
    for act in (lambda: find(roots, PAIR), lambda: promote(roots, PAIR, "a"), lambda: rollback(roots, PAIR)):
        with pytest.raises(VersionDamaged, match=message) as caught:
            act()
        assert str(path) in str(caught.value)
    assert path.read_bytes() == content


def test_a_pointer_that_cannot_be_written_is_a_clear_error(roots: list[Path]) -> None:
    (roots[0] / PAIR / ".current.json.new").mkdir()  # stands in the way of the temporary file
    with pytest.raises(VersionError, match=r"current\.json: the pointer cannot be moved"):
        promote(roots, PAIR, "a")
    assert read(roots[0], PAIR) is None


def test_only_so_much_history_is_kept(roots: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pointers, "MAX_HISTORY", 3)
    for name in "abcabc":
        promote(roots, PAIR, name)
    assert history(roots) == ("c", "a", "b", "c")


def test_moves_at_the_same_time_are_all_counted(roots: list[Path]) -> None:
    moves: list[Move] = []

    def mover(name: str) -> None:
        moves.extend(promote(roots, PAIR, name) for _ in range(10))

    threads = [threading.Thread(target=mover, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    seen = history(roots)
    assert len(moves) == 30
    told = sorted((move.previous, move.version) for move in moves if move.previous != move.version)
    assert sorted(itertools.pairwise(seen)) == told, "two moves began from the same pointer: one was lost"


def test_a_lock_that_is_never_let_go_is_an_error_in_time(roots: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pointers, "LOCK_TIMEOUT_S", 0.05)
    descriptor = os.open(roots[0] / PAIR / ".current.lock", os.O_RDONLY | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(VersionError, match="another process has held"):
            promote(roots, PAIR, "a")
    finally:
        os.close(descriptor)
    assert promote(roots, PAIR, "a").version == "a"


MOVER = """
import sys
from itertools import cycle
from pathlib import Path
from model.versions.pointers import promote, rollback
roots = [Path(sys.argv[1])]
print("moving", flush=True)
for name in cycle("abc"):
    promote(roots, "it-en", name)
    if name == "c":
        rollback(roots, "it-en")
"""


def test_killed_at_any_moment_the_pointer_is_whole(roots: list[Path]) -> None:
    """A process that moves without a pause is killed 20 times; what it leaves is read and moved on at once."""
    path = roots[0] / PAIR / "current.json"
    for turn in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", MOVER, str(roots[0])], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "moving\n"
            time.sleep(random.uniform(0.001, 0.03))
            process.kill()
        if path.exists():
            values = json.loads(path.read_text(encoding="utf-8"))
            assert values["version"] in {"default", *"abc"}
            assert set(values["history"]) <= {"default", *"abc"}
        promote(roots, PAIR, "abc"[turn % 3])
        assert current(roots, PAIR) == "abc"[turn % 3], "the lock of a dead process must not stand in the way"
    left = {found.name for found in path.parent.iterdir()} - {*"abc", "current.json", ".current.lock"}
    assert left <= {".current.json.new"}, "killed processes must not fill the folder"

"""Files here and behind URLs: whole or not at all, found in order, and named when something is wrong."""

from __future__ import annotations

import gzip
import os
import sys
import uuid
from importlib import import_module
from pathlib import Path

import pytest
import zstandard

from app.corpora.files import places
from app.corpora.files.packing import blocks_of, packed_into
from app.errors import AppError

REGISTRY = import_module("fsspec.registry")._registry  # as an attribute, fsspec.registry is a read-only view of it


@pytest.fixture(params=["here", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder that is not there yet."""
    return f"{tmp_path}/corpus" if request.param == "here" else f"memory://{uuid.uuid4().hex}"


def test_what_is_written_is_found_and_read(folder: str) -> None:
    for name in ("b.txt", "a/c.txt", "_traghetto/plan.json", ".hidden", "a/_SUCCESS"):
        places.write(places.join(folder, name), name.encode())
    assert [(file.name, file.size) for file in places.found_at(folder)] == [("a/c.txt", 7), ("b.txt", 5)]
    assert places.found_at(places.join(folder, "b.txt"))[0].name == "b.txt"
    assert places.read(places.join(folder, "b.txt"), 1, 3) == b".t"
    assert places.names_in(places.join(folder, "_traghetto")) == {"plan.json"}
    places.remove(places.join(folder, "a"))
    assert [file.name for file in places.found_at(folder)] == ["b.txt"]


def test_links_to_files_are_followed_and_their_changes_seen(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"uno\n")
    (tmp_path / "it/more").mkdir(parents=True)
    (tmp_path / "it/more/a.txt").symlink_to(tmp_path / "blob")
    (before,) = places.found_at(f"{tmp_path}/it")
    assert (before.name, before.size) == ("more/a.txt", 4)
    os.utime(tmp_path / "blob", (1, 1))
    assert places.found_at(f"{tmp_path}/it/more/a.txt")[0].stamp != before.stamp


@pytest.mark.parametrize("problem", ["a link to a folder", "a link to nothing", "no file"])
def test_what_is_no_file_is_refused_by_name_and_never_lost(tmp_path: Path, problem: str) -> None:
    odd = tmp_path / "it/odd"
    odd.parent.mkdir()
    if problem == "no file":
        os.mkfifo(odd)
    else:
        odd.symlink_to(tmp_path / ("it" if problem == "a link to a folder" else "none"))
    with pytest.raises(AppError, match=f"it/odd: it is {problem}"):
        places.found_at(f"{tmp_path}/it")
    odd.rename(odd.with_name(".odd"))
    assert places.found_at(f"{tmp_path}/it") == []


def test_a_place_has_one_name_however_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "it")
    for place in (f"{tmp_path}/link/", f"file://{tmp_path}/it", f"local://{tmp_path}/link", f"{tmp_path}/it/../it"):
        assert places.resolved(place) == str((tmp_path / "it").resolve())
    assert places.absolute(f"file://{tmp_path}/it/") == f"{tmp_path}/it"
    assert places.resolved("s3://bucket/it/") == "s3://bucket/it"


def test_a_file_that_was_not_written_to_its_end_is_not_there(tmp_path: Path) -> None:
    folder, place = str(tmp_path), str(tmp_path / "a.txt")
    places.write(place, b"old")
    with pytest.raises(KeyError), places.written(place) as file:
        file.write(b"new")
        raise KeyError
    assert places.read(place) == b"old"
    assert places.names_in(folder) == {"a.txt"}


def test_what_is_not_there_is_named(folder: str) -> None:
    with pytest.raises(AppError, match=r"none\.txt: there is no such file"):
        places.found_at(places.join(folder, "none.txt"))
    assert places.names_in(folder) == set()
    places.remove(folder)


def test_what_nobody_can_reach_is_named() -> None:
    with pytest.raises(AppError, match="nowhere://it: Protocol not known: nowhere"):
        places.found_at("nowhere://it")


def test_without_the_extra_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(REGISTRY, "s3", raising=False)  # another test may have had it looked up
    with pytest.raises(AppError, match=r"s3://bucket/it needs more than is installed .*make install-cluster"):
        places.exists("s3://bucket/it")


@pytest.mark.parametrize("name", ["a.gz", "a.ZST", "a.txt"])
def test_what_is_packed_can_be_unpacked(tmp_path: Path, name: str) -> None:
    with places.written(str(tmp_path / name)) as file, packed_into(file, name) as packed:
        packed.write(b"uno\n")
        packed.write(b"due\n")
    with places.opened(str(tmp_path / name)) as file:
        assert b"".join(blocks_of(file, name)) == b"uno\ndue\n"


CUT_SHORT = [
    ("a.gz", gzip.compress(b"uno due tre", mtime=0)[:-5]),
    ("a.gz", b"uno"),
    ("a.zst", zstandard.compress(b"uno due tre" * 9)[:-3]),
    ("a.zst", b"uno"),
]


@pytest.mark.parametrize(("name", "data"), CUT_SHORT, ids=["gz", "no gz", "zst", "no zst"])
def test_what_is_cut_short_is_told(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with places.opened(str(tmp_path / name)) as file, pytest.raises(AppError, match="not a"):
        list(blocks_of(file, name))


def test_several_frames_are_one_file(tmp_path: Path) -> None:
    (tmp_path / "a.zst").write_bytes(zstandard.compress(b"uno\n") + zstandard.compress(b"due\n"))
    with places.opened(str(tmp_path / "a.zst")) as file:
        assert b"".join(blocks_of(file, "a.zst")) == b"uno\ndue\n"

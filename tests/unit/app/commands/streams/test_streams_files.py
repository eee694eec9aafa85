"""Files, packed files and what is wrong with them."""

from __future__ import annotations

import gzip
import os
import random
from contextlib import closing
from pathlib import Path

import pytest

from app.commands.streams.files import Files, Input
from app.errors import AppError

CONTENT = random.Random(1).randbytes(200_000)


def read(path: Path, size: int = 5000) -> bytes:
    with closing(Input(path)) as source:
        pieces = list(iter(lambda: source.read(size), b""))
        assert source.position == source.size_bytes == path.stat().st_size
    assert max(map(len, pieces)) <= size
    return b"".join(pieces)


@pytest.mark.parametrize("name", ["file", "file.gz"])
def test_what_was_written_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"what was there before")
    with closing(Files(target=path).open_target()) as target:
        target.write(CONTENT[:70_000])
        target.write(CONTENT[70_000:])
    assert read(path) == CONTENT
    assert (path.read_bytes() == CONTENT) == (name == "file")


def test_a_packed_file_that_was_cut_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lines.gz"
    for data in (gzip.compress(CONTENT)[:-100], b"not packed", gzip.compress(CONTENT)[:5000] + bytes(20)):
        path.write_bytes(data)
        with pytest.raises(AppError, match=r"lines\.gz: not a whole gzip file"):
            read(path)


def test_a_pipe_has_no_size(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = os.open(pipe, os.O_RDWR)
    with closing(Input(pipe)) as source:
        os.write(writing, b"ciao\n")
        assert source.read(100) == b"ciao\n"
        assert (source.size_bytes, source.position) == (None, 5)
    os.close(writing)


def test_words_are_read_as_a_file_is() -> None:
    with closing(Files(said="Perché no?\n").open_source()) as source:
        assert source.size_bytes == 12
        assert source.read(4) == b"Perc"
        assert source.position == 4
        assert source.read(100) == "hé no?\n".encode()
        assert source.read(100) == b""


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=str(tmp_path)):
        read(tmp_path)
    with pytest.raises(FileNotFoundError, match="none/lines"):
        Files(target=tmp_path / "none" / "lines").open_target()


def test_what_can_be_gone_on_with(tmp_path: Path) -> None:
    source, target, pipe = tmp_path / "in.gz", tmp_path / "out", tmp_path / "pipe"
    source.touch()
    os.mkfifo(pipe)
    assert Files(source, target).kept == (source, target)
    for files in (
        Files(said="a", target=target),
        Files(source),
        Files(None, target),
        Files(pipe, target),
        Files(source, pipe),
        Files(source, source),
    ):
        assert files.kept is None

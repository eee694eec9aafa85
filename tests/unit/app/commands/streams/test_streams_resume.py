"""What a run that was ended leaves behind, and when it is gone on with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.commands.streams.resume import Run, begin, end, progress_of, sha256
from app.errors import AppError

INPUT = "uno\ndue\ntre"
RUN = Run("0" * 64, "it-en", "default", "1" * 64, "int8", 1)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """An input of three lines, and an output that is not there yet."""
    (tmp_path / "in").write_text(INPUT)
    return tmp_path / "in", tmp_path / "out"


@contextmanager
def opened(files: tuple[Path, Path], run: Run = RUN, *, resume: bool = True) -> Iterator[tuple[int, int]]:
    descriptor, lines = begin(*files, run, resume)
    try:
        yield descriptor, lines
    finally:
        os.close(descriptor)


def test_a_run_that_was_ended_goes_on_after_its_last_whole_line(files: tuple[Path, Path]) -> None:
    _, output = files
    with opened(files) as (descriptor, lines):
        assert lines == 0
        assert progress_of(output).exists(), "killed now, nobody could tell what the lines depend on"
        os.write(descriptor, "one\ntwö".encode()[:-1])
    with opened(files) as (descriptor, lines):
        assert (lines, output.read_text()) == (1, "one\n")
        os.write(descriptor, b"two\nthree\n")
    end(output)
    assert output.read_text() == "one\ntwo\nthree\n"
    assert not progress_of(output).exists()


def test_a_complete_output_has_nothing_left_to_do(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    files[1].write_text("one\ntwo\nthree\n")
    with opened(files) as (_, lines):
        assert lines == 3
    assert "what made them is not known any more" in capsys.readouterr().err


@pytest.mark.parametrize("there", ["one\n", "one", '{"json": "of one line"}', "one\ntwo\nthree\nand more"])
def test_without_a_record_only_a_complete_output_is_taken(files: tuple[Path, Path], there: str) -> None:
    files[1].write_text(there)
    with pytest.raises(AppError, match=r"without out\.progress\.json nobody can tell"), opened(files):
        pass
    assert files[1].read_text() == there, "it may be anything"


def test_what_differs_is_named(files: tuple[Path, Path]) -> None:
    with opened(files) as (descriptor, _):
        os.write(descriptor, b"one\n")
    for other in (replace(RUN, beam=4), replace(RUN, model_version="second"), replace(RUN, input_sha256="2" * 64)):
        (name,) = (name for name, value in other.to_dict().items() if value != RUN.to_dict()[name])
        with pytest.raises(AppError, match=f"begun otherwise: {name}"), opened(files, other):
            pass
    assert files[1].read_text() == "one\n"


def test_a_damaged_record_is_named(files: tuple[Path, Path]) -> None:
    files[1].write_text("one\n")
    progress_of(files[1]).write_text("{")
    with pytest.raises(AppError, match=r"out\.progress\.json: .*not valid JSON"), opened(files):
        pass


@pytest.mark.parametrize("left", ["", "torn"])
def test_where_no_line_is_whole_nothing_is_compared(files: tuple[Path, Path], left: str) -> None:
    """Killed between making the output and its record, beside the record of another run."""
    files[1].write_text(left)
    progress_of(files[1]).write_text(replace(RUN, beam=4).to_json())
    with opened(files) as (_, lines):
        assert lines == 0
    assert Run.from_json(progress_of(files[1]).read_text()) == RUN


def test_anew_means_anew(files: tuple[Path, Path]) -> None:
    files[1].write_text("one\n")
    with opened(files, resume=False) as (_, lines):
        assert (lines, files[1].read_text()) == (0, "")


def test_the_sum_is_that_of_the_content(files: tuple[Path, Path]) -> None:
    before = sha256(files[0])
    files[0].touch()
    assert sha256(files[0]) == before
    files[0].write_text(INPUT.upper())
    assert sha256(files[0]) != before

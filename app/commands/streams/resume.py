"""An output file that is gone on with after its program was ended, at whatever moment.

OUTPUT                  translations, appended by whole lines; only the last can be torn
OUTPUT.progress.json    a `Run`: there from before the first line until after the last
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from app.commands.streams.files import Input
from app.corpora.files.lines import read_lines
from app.errors import AppError
from model.config import JsonConfig
from model.errors import ConfigError
from model.versions.disk import write_whole

COUNT_BYTES = 1 << 20


@dataclass(frozen=True)
class Run(JsonConfig):
    """What the lines of an output depend on."""

    input_sha256: str
    pair: str
    model_version: str
    weights_sha256: str
    route: str
    beam: int


def progress_of(output: Path) -> Path:
    """The file beside `output` that says that it is not complete."""
    return output.with_name(f"{output.name}.progress.json")


def sha256(path: Path) -> str:
    """Of all that `path` holds."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def begin(source: Path, output: Path, run: Run, resume: bool) -> tuple[int, int]:
    """Open `output` to be appended to: empty, or with `resume` what is there, its last line cut if it is torn.

    Returns:
        Its descriptor, and how many lines it holds.

    Raises:
        AppError: another process writes it, or what is there is not the beginning of `run` on `source`.
        OSError: it cannot be written.
    """
    descriptor = os.open(output, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise AppError(f"{output}: another process is writing it") from None
    lines, size = _whole_lines(descriptor) if resume else (0, 0)
    there = os.fstat(descriptor).st_size
    if resume and there:
        _check(source, output, run, lines, is_torn=there > size)
    os.truncate(descriptor, size)
    write_whole(progress_of(output), run.to_json())
    return descriptor, lines


def end(output: Path) -> None:
    """Say that `output`, which must be on the disk, is complete."""
    progress_of(output).unlink(missing_ok=True)


def _check(source: Path, output: Path, run: Run, lines: int, *, is_torn: bool) -> None:
    """Raise unless the whole `lines` of `output`, and what was torn behind them, are the first of `run`."""
    try:
        begun = Run.from_json(progress_of(output).read_text(encoding="utf-8"))
    except FileNotFoundError:
        if is_torn or _count_lines(source) != lines:
            raise AppError(f"{output}: without {progress_of(output).name} nobody can tell how it was begun") from None
        about = f"{output} has a line for each of the input already; what made them is not known any more"
        sys.stderr.write(f"traghetto: {about}\n")
        return
    except (ConfigError, UnicodeDecodeError) as error:
        raise AppError(f"{progress_of(output)}: {error}") from None
    if not lines:
        return  # nothing of it is kept
    was, now = begun.to_dict(), run.to_dict()
    others = [f"{name} {was[name]}, now {now[name]}" for name in was if was[name] != now[name]]
    if others:
        raise AppError(f"{output}: it was begun otherwise: {'; '.join(others)}")


def _count_lines(source: Path) -> int:
    with contextlib.closing(Input(source)) as file:
        return sum(map(len, read_lines(file.read)))


def _whole_lines(descriptor: int) -> tuple[int, int]:
    """How many lines end in the file, and after how many bytes the last of them does."""
    lines = end = position = 0
    while piece := os.pread(descriptor, COUNT_BYTES, position):
        lines += piece.count(b"\n")
        end = position + piece.rindex(b"\n") + 1 if b"\n" in piece else end
        position += len(piece)
    return lines, end

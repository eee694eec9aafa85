"""Where the files of a run lie: its outputs, and beside them what is kept until all are whole."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.corpora.cutting import Cut
from app.corpora.files import places
from app.corpora.files.packing import packing_of
from app.corpora.files.places import Found
from app.corpora.plan import FOLDER
from app.errors import AppError

TRIES = 10
"""So often a lock may be removed by its owner while it is being taken."""


@dataclass(frozen=True)
class Layout:
    """Of a run that reads `source` and writes `target`: two folders, or two files."""

    source: str
    target: str
    is_folder: bool

    @classmethod
    def of(cls, source: str, target: str) -> Layout:
        """What the two places are.

        Raises:
            AppError: there is no input, or the output lies in it.
        """
        wants_folder = target.endswith("/")
        source, target = places.absolute(source), places.absolute(target)
        is_folder = places.is_folder(source)
        if not is_folder and (wants_folder or places.is_folder(target)):
            target = places.join(target, places.split(source)[1])
        read, made = (f"{places.resolved(place).rstrip('/')}/" for place in (source, target))
        if made.startswith(read):
            raise AppError(f"{target}: the output must not lie in the input")
        if is_folder and not places.is_url(target) and Path(target).is_file():
            raise AppError(f"{target}: it is a file, but the input is a folder")
        return cls(source, target, is_folder)

    @property
    def root(self) -> str:
        """The folder of the plan and of all that is not whole."""
        if self.is_folder:
            return places.join(self.target, FOLDER)
        folder, name = places.split(self.target)
        return places.join(folder, FOLDER, name)

    def source_of(self, name: str) -> str:
        """An input."""
        return places.join(self.source, name) if self.is_folder else self.source

    def output_of(self, name: str) -> str:
        """The output of the input of that name."""
        return places.join(self.target, name) if self.is_folder else self.target

    def is_there(self, inputs: list[Found]) -> list[str]:
        """The outputs that are there."""
        if not self.is_folder:
            return [self.target] if places.exists(self.target) else []
        if not places.is_url(self.target):
            outputs = [self.output_of(found.name) for found in inputs]
            return [output for output in outputs if Path(output).exists()]
        names = {found.name for found in places.found_at(self.target)} if places.is_folder(self.target) else set()
        return [self.output_of(found.name) for found in inputs if found.name in names]

    def check_apart(self, inputs: list[Found]) -> None:
        """Refuse outputs that are inputs, by a link or since one of the folders lies in the other.

        Raises:
            AppError: names one.
        """
        if places.is_url(self.source) or places.is_url(self.target):
            return
        read = {_identity(self.source_of(found.name)) for found in inputs}
        for output in self.is_there(inputs):
            if _identity(output) in read:
                raise AppError(f"{output}: it is an input, and would be lost")


@dataclass(frozen=True)
class Kept:
    """What is kept of a run: a folder, named after the plan."""

    folder: str
    layout: Layout

    def shard(self, file: int, shard: int) -> str:
        """The translation of a shard."""
        return places.join(self.folder, f"{file:05}-{shard:06}")

    def unpacked(self, file: int) -> str:
        """An input that is packed, unpacked."""
        return places.join(self.folder, f"{file:05}.unpacked")

    def done(self, file: int) -> str:
        """It is there when an output is whole."""
        return places.join(self.folder, f"{file:05}.done")

    def readable(self, index: int, file: Cut) -> str:
        """Where shards of an input are read from."""
        is_copied = file.kind != "parquet" and packing_of(file.name)
        return self.unpacked(index) if is_copied else self.layout.source_of(file.name)


@contextmanager
def alone(layout: Layout) -> Iterator[None]:
    """Keep other runs on this machine away from the output; on S3 nobody can.

    Raises:
        AppError: another run writes it.
    """
    if places.is_url(layout.root):
        yield
        return
    path = Path(f"{layout.root}.lock")
    was_there = path.parent.is_dir() and path.parent.name != FOLDER
    with _naming(path):
        descriptor = _locked(path, layout)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
        if not was_there:
            places.remove_if_empty(str(path.parent))


def _locked(path: Path, layout: Layout) -> int:
    """An open file, locked, that is the one of that name: another may have removed it between opening and locking.

    Raises:
        AppError: another process has it.
    """
    for _ in range(TRIES):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # another run ended, and took file and folder with it
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _lock(descriptor, layout)
                is_there = os.path.samestat(os.fstat(descriptor), path.stat())
            except BaseException:
                os.close(descriptor)
                raise
            if is_there:
                return descriptor
            os.close(descriptor)
    raise AppError(f"{layout.target}: other processes begin and end to write it")


def _lock(descriptor: int, layout: Layout) -> None:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise AppError(f"{layout.target}: another process is writing it") from None


def _identity(path: str) -> tuple[int, int]:
    status = Path(path).stat()
    return status.st_dev, status.st_ino


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AppError(f"{path.parent}: {error.strerror}") from None

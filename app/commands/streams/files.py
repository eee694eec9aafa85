"""Where bytes come from and go to: standard input and output, files, gzip files, whose names end in `.gz`, and words
of the command line."""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.commands.options import STDOUT
from app.errors import AppError

STDIN = 0


def is_gzip(path: Path | None) -> bool:
    """Whether what `path` names is packed."""
    return path is not None and path.suffix.lower() == ".gz"


class Source(Protocol):
    """What is read from its beginning to its end."""

    size_bytes: int | None
    """Of all of it, if that is known."""

    @property
    def position(self) -> int:
        """So many of `size_bytes` have been read."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes, as soon as there are any; `b""` at the end."""

    def close(self) -> None:
        """End reading."""


@dataclass(frozen=True)
class Files:
    """Where a text comes from and goes to; None: standard input, standard output."""

    source: Path | None = None
    target: Path | None = None
    resume: bool = False
    said: str | None = None
    """Text of the command line, in the place of an input."""

    @property
    def kept(self) -> tuple[Path, Path] | None:
        """Both, if what was done of their lines can be told after the program was ended."""
        if self.source is None or self.target is None or self.said is not None or is_gzip(self.target):
            return None
        are_files = self.source.is_file() and (self.target.is_file() or not self.target.exists())
        return (self.source, self.target) if are_files else None

    @property
    def on_terminal(self) -> bool:
        """Whether a person sees there what comes in or what goes out."""
        return self.is_typed or (self.target is None and os.isatty(STDOUT))

    @property
    def is_typed(self) -> bool:
        """Whether the text comes from the keyboard."""
        return self.source is None and self.said is None and os.isatty(STDIN)

    def open_source(self) -> Source:
        """What is translated, from its beginning.

        Raises:
            OSError: it cannot be opened.
        """
        return Input(self.source) if self.said is None else Words(self.said)

    def open_target(self) -> Output:
        """An empty file, or standard output.

        Raises:
            OSError: it cannot be written.
        """
        if self.target is None:
            return Output()
        return Output(self.target, os.open(self.target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666))


class Input:
    """A file that is read from its beginning to its end, or standard input.

    Raises:
        OSError: it cannot be opened or read; names it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._name = "standard input" if path is None else str(path)
        with _naming(self._name):
            self._descriptor = STDIN if path is None else os.open(path, os.O_RDONLY)
            status = os.fstat(self._descriptor)
            self._file = os.fdopen(self._descriptor, "rb", closefd=path is not None)
        self.size_bytes = status.st_size if stat.S_ISREG(status.st_mode) else None
        """Of a file, as it lies there; a pipe has none."""
        self._packed = gzip.GzipFile(fileobj=self._file) if is_gzip(path) else None
        self._read_bytes = 0

    @property
    def position(self) -> int:
        """So many of `size_bytes` have been read."""
        is_packed_file = self._packed is not None and self.size_bytes is not None
        return os.lseek(self._descriptor, 0, os.SEEK_CUR) if is_packed_file else self._read_bytes

    def read(self, size: int) -> bytes:
        """Wait until there is something, and give at most `size` bytes of it; `b""` at the end.

        Raises:
            AppError: it is not a gzip file, or not a whole one.
        """
        with _naming(self._name):
            data = os.read(self._descriptor, size) if self._packed is None else self._unpacked(self._packed, size)
        self._read_bytes += len(data)
        return data

    def close(self) -> None:
        """End reading."""
        self._file.close()

    def _unpacked(self, packed: gzip.GzipFile, size: int) -> bytes:
        try:
            return packed.read1(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise AppError(f"{self._name}: not a whole gzip file: {error}") from None


class Words:
    """Text of the command line, read as if it were a file."""

    def __init__(self, text: str) -> None:
        data = os.fsencode(text)
        self.size_bytes: int | None = len(data)
        self._file = io.BytesIO(data)

    @property
    def position(self) -> int:
        """So many of `size_bytes` have been read."""
        return self._file.tell()

    def read(self, size: int) -> bytes:
        """At most `size` bytes; `b""` at the end."""
        return self._file.read(size)

    def close(self) -> None:
        """End reading."""
        self._file.close()


class Output:
    """A file that was opened for writing, or standard output.

    Raises:
        OSError: it cannot be written; names it.
    """

    def __init__(self, path: Path | None = None, descriptor: int = STDOUT) -> None:
        self._name = "standard output" if path is None else str(path)
        self._file = os.fdopen(descriptor, "wb", buffering=0, closefd=path is not None)
        self._packed = gzip.GzipFile(fileobj=self._file, mode="wb") if is_gzip(path) else None

    def write(self, data: bytes) -> None:
        """Write all of `data`."""
        file = self._packed or self._file
        with _naming(self._name):
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]

    def sync(self) -> None:
        """Wait until what was written to a file is on its disk."""
        with _naming(self._name):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """End it; what was written to a gzip file can be unpacked only then."""
        with _naming(self._name):
            if self._packed is not None:
                self._packed.close()
            self._file.close()


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Errors of the system inside say that they are about `name`."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from None

"""Files that are packed: `.gz` and `.zst`, by the end of their names."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from app.corpora.files.extra import needed_for
from app.errors import AppError

PACKED = (".gz", ".zst")
READ_BYTES = 1 << 22


def packing_of(name: str) -> str:
    """`.gz`, `.zst`, or nothing."""
    return next((ending for ending in PACKED if name.lower().endswith(ending)), "")


def blocks_of(file: IO[bytes], name: str) -> Iterator[bytes]:
    """What `file`, called `name`, holds, unpacked, a few MB at a time.

    Raises:
        AppError: it is not what its name says, or not whole.
    """
    ending = packing_of(name)
    if ending == ".zst":
        yield from _unpacked_zst(file, name)
        return
    source = gzip.GzipFile(fileobj=file) if ending == ".gz" else file
    try:
        while block := source.read(READ_BYTES):
            yield block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise AppError(f"{name}: not a whole gzip file: {error}") from None


@contextmanager
def packed_into(file: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    """What is written is packed into `file` as `name` says; the same bytes give the same bytes at any time."""
    ending = packing_of(name)
    if ending == ".gz":
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as zipped:
            yield cast("IO[bytes]", zipped)
    elif ending == ".zst":
        with needed_for(name):
            import zstandard
        with zstandard.ZstdCompressor().stream_writer(file, closefd=False) as packed:
            yield packed
    else:
        yield file


def _unpacked_zst(file: IO[bytes], name: str) -> Iterator[bytes]:
    """By hand, frame after frame: the library's reader takes a file that was cut short for a whole one."""
    with needed_for(name):
        import zstandard
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    is_begun, data = False, b""
    try:
        while data := data or file.read(READ_BYTES):
            is_begun = True
            if block := unpacker.decompress(data):
                yield block
            data = b""
            if unpacker.eof:
                data, unpacker, is_begun = unpacker.unused_data, zstandard.ZstdDecompressor().decompressobj(), False
    except zstandard.ZstdError as error:
        raise AppError(f"{name}: not a zstd file: {error}") from None
    if is_begun:
        raise AppError(f"{name}: not a whole zstd file: it was cut short")

"""Where files lie: on this machine, on S3, or wherever else fsspec reaches, by the same few calls.

A place is a path or a URL, as text, so that it can be sent to another process. What is written appears whole or not at
all: on this machine by a rename, elsewhere by one PUT or by the end of an upload of several parts.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from app.corpora.files.extra import needed_for
from app.errors import AppError
from model.errors import ModelError

WITHOUT_FOLDERS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory", "http", "https"})
"""Protocols whose folders are nothing but parts of names."""
HERE = ("file://", "local://")
"""How URLs of this machine begin."""
STAMPS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "created")
"""What tells that a file was changed, by the names that fsspec's file systems use; the first that there is."""
PASSED_OVER = ("_", ".")
"""Names that begin so are no part of a corpus: marks of other programs, hidden files, our own shards."""


@dataclass(frozen=True)
class Found:
    """A file that was found below a folder."""

    name: str
    """Its path below the folder, with `/`; its name where it was looked for by itself."""
    size: int
    stamp: str
    """Another one when it was changed."""


def is_url(place: str) -> bool:
    """Whether `place` names a protocol, as in `s3://bucket/folder`."""
    return "://" in place


def absolute(place: str) -> str:
    """`place`, such that it means the same in any process of this machine; a path, if it lies on this machine."""
    if place.startswith(HERE):
        place = _system(place)[1]
    return place.rstrip("/") if is_url(place) else str(Path(place).absolute())


def resolved(place: str) -> str:
    """`place` without `..` and without links, such that two that are the same can be told from their names."""
    place = absolute(place)
    return place if is_url(place) else str(Path(place).resolve())


def join(place: str, *names: str) -> str:
    """A place below `place`."""
    return "/".join((place.rstrip("/"), *names))


def split(place: str) -> tuple[str, str]:
    """The folder of `place`, and its name there."""
    folder, _, name = place.rstrip("/").rpartition("/")
    return folder, name


def exists(place: str) -> bool:
    """Whether there is a file or a folder."""
    with _about(place) as (system, path):
        system.invalidate_cache()
        return bool(system.exists(path))


def is_folder(place: str) -> bool:
    """Whether there is a folder."""
    with _about(place) as (system, path):
        system.invalidate_cache()
        return bool(system.isdir(path))


def found_at(place: str) -> list[Found]:
    """The files below the folder `place`, by name, or the one file that it is; without those that are `PASSED_OVER`.

    On this machine links to files are followed.

    Raises:
        AppError: there is nothing, or it cannot be read; or there is what is neither a file nor a folder, or a link to
            a folder, which might lead round in a circle.
    """
    with _about(place) as (system, path):
        if _is_local(system):
            return _found_here(Path(path))
        system.invalidate_cache()
        if not system.isdir(path):
            return [_found(split(place)[1], system.info(path))]
        below = system.find(path, detail=True)
        start = len(path.rstrip("/")) + 1
        files = [_found(name[start:], info) for name, info in below.items() if info["type"] == "file"]
    return sorted((file for file in files if _belongs(file.name)), key=lambda file: file.name)


def names_in(folder: str) -> set[str]:
    """The names of the files right in `folder`; none where there is no such folder."""
    with _about(folder) as (system, path):
        system.invalidate_cache()
        try:
            return {split(info["name"])[1] for info in system.ls(path, detail=True) if info["type"] == "file"}
        except FileNotFoundError:
            return set()


def read(place: str, start: int | None = None, end: int | None = None) -> bytes:
    """The bytes of a file from `start` to before `end`."""
    with _about(place) as (system, path):
        return bytes(system.cat_file(path, start=start, end=end))


@contextmanager
def opened(place: str) -> Iterator[IO[bytes]]:
    """A file, to be read from its beginning, or from wherever it is sought."""
    with _about(place) as (system, path), system.open(path, "rb") as file:
        yield file


def write(place: str, data: bytes) -> None:
    """Make `data` the whole of a file."""
    with _about(place) as (system, path):
        if not _is_local(system):
            _make_folder(system, path)
            system.pipe_file(path, data)
            return
    with written(place) as file:
        file.write(data)


@contextmanager
def written(place: str, scratch: str | None = None) -> Iterator[IO[bytes]]:
    """A file to be written, which is there when the block ends without an error.

    Until then it lies, if it is on this machine, in the folder `scratch` of the same disk, or beside its place.
    """
    with _about(place) as (system, path):
        if _is_local(system):
            with _written_here(Path(path), Path(path).parent if scratch is None else Path(scratch)) as file:
                yield file
            return
        _make_folder(system, path)
        file = system.open(path, "wb", autocommit=False)
        try:
            yield file
        except BaseException:
            file.discard()
            raise
        file.close()
        file.commit()


def remove(place: str) -> None:
    """Remove a file, or a folder with all in it, if it is there."""
    with _about(place) as (system, path):
        system.invalidate_cache()
        if system.exists(path):
            system.rm(path, recursive=True)


def remove_if_empty(folder: str) -> None:
    """Remove a folder of this machine that has nothing in it; elsewhere there are no such folders."""
    if not is_url(folder):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()


def _found_here(place: Path) -> list[Found]:
    """As `found_at`."""
    if not place.is_dir():
        return [_found_file(place, place.name)]
    found: list[Found] = []
    folders = [place]
    while folders:
        for path in folders.pop().iterdir():
            if path.name.startswith(PASSED_OVER):
                continue
            if not path.is_dir():
                found.append(_found_file(path, path.relative_to(place).as_posix()))
            elif path.is_symlink():
                raise AppError(f"{path}: it is a link to a folder; take it out, and name that folder as an input")
            else:
                folders.append(path)
    return sorted(found, key=lambda file: file.name)


def _found_file(path: Path, name: str) -> Found:
    if not path.is_file() and (path.exists() or path.is_symlink()):
        raise AppError(f"{path}: it is {'no file' if path.exists() else 'a link to nothing'}; take it out")
    status = path.stat()
    return Found(name, status.st_size, str(status.st_mtime))


@contextmanager
def _written_here(path: Path, scratch: Path) -> Iterator[IO[bytes]]:
    """As `written`: under a name of its own until all is on the disk, so that two writers do not disturb each other."""
    for folder in (path.parent, scratch):
        folder.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=scratch)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The mask of this process, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextmanager
def _about(place: str) -> Iterator[tuple[Any, str]]:
    """The file system of `place`, and its name there; errors of either name the place.

    Raises:
        AppError: what the file system raised.
    """
    try:
        yield _system(place)
    except (AppError, ModelError):
        raise
    except FileNotFoundError as error:
        raise AppError(f"{place}: there is no such file or folder") from error
    except OSError as error:
        raise AppError(f"{place}: {error.strerror or error}") from error
    except Exception as error:
        if type(error).__module__ == "builtins":
            raise
        raise AppError(f"{place}: {type(error).__name__}: {error}") from error  # each library has its own


def _system(place: str) -> tuple[Any, str]:
    import fsspec

    try:
        with needed_for(place):
            system, path = fsspec.url_to_fs(place)
    except ValueError as error:
        raise AppError(f"{place}: {error}") from None
    return system, str(path)


def _is_local(system: Any) -> bool:
    return "file" in _protocols(system)


def _protocols(system: Any) -> tuple[str, ...]:
    return (system.protocol,) if isinstance(system.protocol, str) else tuple(system.protocol)


def _make_folder(system: Any, path: str) -> None:
    if not WITHOUT_FOLDERS.intersection(_protocols(system)):
        system.makedirs(split(path)[0], exist_ok=True)


def _found(name: str, info: dict[str, Any]) -> Found:
    stamp = next((str(info[key]) for key in STAMPS if info.get(key)), "")
    return Found(name, int(info["size"]), stamp.strip('"'))


def _belongs(name: str) -> bool:
    return not any(part.startswith(PASSED_OVER) for part in PurePosixPath(name).parts)

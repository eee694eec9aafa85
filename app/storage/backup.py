"""Makes an archive of all that a server has and no installation brings back: database, versions, pointers.

The pointers are read first and the versions last: whatever is promoted meanwhile, a version that a pointer names is in
the archive. What a retraining that is going on has in its folders is left out, and so is the key of signed links.
"""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from sqlalchemy import make_url

from app.errors import AppError
from app.storage import dumps
from app.storage.archive import (
    HASHES,
    MANIFEST,
    MEMBER,
    MODELS,
    Advance,
    Found,
    Hashing,
    Manifest,
    Place,
    to_json,
)
from model.errors import ModelError
from model.versions.card import CARD, PAIR, POINTER, VERSION, Card
from model.versions.disk import sync

COMPRESSION = 1
"""Weights hardly shrink: more effort would take minutes and gain nothing."""
PRIVATE, PUBLIC = 0o600, 0o644
OPEN_TRIES = 3


def size_bytes(place: Place) -> int:
    """About how much `create` will read of the versions, for a bar."""
    total = 0
    for folder in _version_folders(place.models):
        with contextlib.suppress(OSError):  # it is just being removed
            total += sum(path.stat().st_size for path in folder.iterdir())
    return total


def create(file: Path, place: Place, program: str, advance: Advance) -> Found:
    """Write the archive `file`, which appears whole or not at all. A server may run meanwhile.

    Args:
        program: the version of this program.

    Raises:
        AppError: there is such a file, the database cannot be copied, or the archive cannot be written.
    """
    if file.exists():
        raise AppError(f"{file} exists already: nothing was written. Choose another name, or remove it")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.absolute().parent) as work:
            temporary = Path(work) / "archive"
            found = _write(temporary, place, program, advance)
            temporary.chmod(PRIVATE)  # it holds texts of users
            sync(temporary)
            temporary.rename(file)
        sync(file.absolute().parent)
    except OSError as error:
        raise AppError(f"the backup {file} cannot be written: {error.strerror or error}") from error
    return found


def _write(target: Path, place: Place, program: str, advance: Advance) -> Found:
    pointers = _read_pointers(place.models)
    database, schema = None, None
    if place.database is not None:
        kind = dumps.kind_of(place.database)
        database = target.with_name(kind.file)
        schema = kind.dump(make_url(place.database), database)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    with tarfile.open(target, "w:gz", compresslevel=COMPRESSION) as tar:
        writer = _Writer(tar, advance)
        writer.add_bytes(
            MANIFEST, to_json(asdict(Manifest(program, database.name if database else None, schema, created)))
        )
        if database is not None:
            with database.open("rb") as copy:
                writer.add(database.name, copy, PRIVATE)
            database.unlink()
        for pair, content in pointers.items():
            writer.add_bytes(f"{MODELS}/{pair}/{POINTER}", content)
        for folder in _version_folders(place.models):
            writer.add_version(folder)
        writer.add_bytes(HASHES, to_json(writer.hashes))
    return writer.found


def _read_pointers(models: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(models.glob(f"*/{POINTER}")) if PAIR.fullmatch(path.parent.name)]
    return {path.parent.name: path.read_bytes() for path in paths}


def _version_folders(models: Path) -> list[Path]:
    """Those that a version may be in; temporary ones begin with a dot."""
    folders = (path for path in sorted(models.glob("*/*")) if path.is_dir())
    return [path for path in folders if PAIR.fullmatch(path.parent.name) and VERSION.fullmatch(path.name)]


class _Writer:
    """Adds members to an archive, and remembers their hashes."""

    def __init__(self, tar: tarfile.TarFile, advance: Advance) -> None:
        self._tar, self._advance = tar, advance
        self.hashes: dict[str, str] = {}
        self.found = Found()

    def add_bytes(self, name: str, content: bytes) -> None:
        self._add(name, io.BytesIO(content), len(content), PUBLIC)

    def add(self, name: str, file: IO[bytes], mode: int) -> None:
        self._add(name, file, os.fstat(file.fileno()).st_size, mode)

    def add_version(self, folder: Path) -> None:
        name = f"{folder.parent.name}/{folder.name}"
        with contextlib.ExitStack() as stack:
            files = _opened(folder, stack)
            if CARD not in files:
                self.found.remarks.append(f"{name} is left out: it has no {CARD}, so it is no version")
                return
            expected = _promised(files[CARD])
            for file_name, file in sorted(files.items()):
                self.add(f"{MODELS}/{name}/{file_name}", file, PUBLIC)
        self.found.versions.append(name)
        wrong = [one for one, sha256 in expected.items() if self.hashes.get(f"{MODELS}/{name}/{one}") != sha256]
        if wrong or not expected:
            self.found.remarks.append(f"{name} is damaged, and so is its copy: {', '.join(wrong) or CARD}")

    def _add(self, name: str, file: IO[bytes], size: int, mode: int) -> None:
        if not MEMBER.fullmatch(name):
            self.found.remarks.append(f"{name} is left out: no file of ours has such a name")
            return
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, mode, int(datetime.now(UTC).timestamp())
        reader = Hashing(file, self._advance)
        self._tar.addfile(info, reader)
        self.hashes[name] = reader.sha256


def _opened(folder: Path, stack: contextlib.ExitStack) -> dict[str, IO[bytes]]:
    """The files of a folder by name, all of one moment, though another folder may take its place meanwhile; none if it
    is gone."""
    for _ in range(OPEN_TRIES):
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, handle)
            names = [entry.name for entry in os.scandir(handle) if entry.is_file()]
            files: dict[str, IO[bytes]] = {
                name: stack.enter_context(os.fdopen(os.open(name, os.O_RDONLY, dir_fd=handle), "rb")) for name in names
            }
            if os.path.samestat(folder.stat(), os.fstat(handle)):
                return files
        except FileNotFoundError:
            continue
    return {}


def _promised(card: IO[bytes]) -> dict[str, str]:
    """The hashes that a card tells; none if it is no card."""
    try:
        return Card.from_json(card.read().decode()).files
    except (ModelError, UnicodeDecodeError):
        return {}
    finally:
        card.seek(0)

"""Puts an archive of `app.storage.backup` back, where there is nothing yet.

All of it is unpacked beside its place and compared with its hashes before anything is changed.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tarfile
import tempfile
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from app.errors import AppError
from app.storage import dumps
from app.storage.archive import (
    CHUNK_BYTES,
    FORMAT,
    HASHES,
    MANIFEST,
    MEMBER,
    MODELS,
    Advance,
    Counted,
    Found,
    Hashing,
    Manifest,
    Place,
    nobody,
)
from model.versions.card import CARD
from model.versions.disk import sync

STDIN = Path("-")
UNREADABLE = (tarfile.TarError, EOFError, zlib.error, ValueError)
"""What a damaged archive raises; JSON and UTF-8 are of the last kind."""


class _Damaged(ValueError):
    """Something is not as the archive itself says."""


def restore(file: Path, place: Place, advance: Advance) -> tuple[Manifest, Found]:
    """Put back what is in the archive `file`.

    Args:
        file: `-` is stdin.
        place: an archive that holds a database needs its URL.
        advance: told of what was read of the archive.

    Raises:
        AppError: the archive is damaged, not one of ours, of a newer program or of another kind of database; there is
            something in the place already; or it cannot be written.
    """
    if place.models.is_dir() and any(place.models.iterdir()):
        raise AppError(
            f"{place.models} is not empty: nothing was changed. Restore to another place (--into), or move it away"
        )
    data_dir = place.models.parent
    made = not data_dir.exists()
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(prefix=".restore.", dir=data_dir) as work:
            manifest = _unpack(file, place, advance, Path(work))
            return manifest, _put(manifest, place, Path(work))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise AppError(f"{file} cannot be restored: {where}{error.strerror or error}") from error
    finally:
        if made:
            with contextlib.suppress(OSError):  # it stays if something was put into it
                data_dir.rmdir()


def _unpack(file: Path, place: Place, advance: Advance, work: Path) -> Manifest:
    """Everything in `work`, its hashes compared."""
    with contextlib.nullcontext(sys.stdin.buffer) if file == STDIN else file.open("rb") as packed:
        try:
            with tarfile.open(fileobj=Counted(packed, advance), mode="r|gz") as tar:
                unpacker = _Unpacker(tar, work)
                unpacker.next(MANIFEST)
                manifest = _manifest((work / MANIFEST).read_bytes())
                _check(manifest, place)
                while unpacker.next():
                    pass
            unpacker.compare(manifest)
        except UNREADABLE as error:
            raise AppError(f"{file} is damaged, or not a backup: nothing was changed ({error})") from error
    return manifest


class _Unpacker:
    """Writes the members of an archive under a folder, one after the other."""

    def __init__(self, tar: tarfile.TarFile, folder: Path) -> None:
        self._tar, self._folder = tar, folder
        self._hashes: dict[str, str] = {}

    def next(self, expected: str | None = None) -> bool:
        """Write the next member; whether there was one. No name that is not ours is written."""
        member = self._tar.next()
        if member is None and expected is None:
            return False
        if member is None or (expected is not None and member.name != expected):
            raise _Damaged(f"it does not begin with {expected}")
        if not member.isreg() or not MEMBER.fullmatch(member.name) or member.name in self._hashes:
            raise _Damaged(f"it holds {member.name!r:.200}, which no backup does")
        content = self._tar.extractfile(member)
        if content is None:
            raise _Damaged(f"{member.name} cannot be read")
        path = self._folder / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        reader = Hashing(content, nobody)
        with path.open("xb") as target:
            shutil.copyfileobj(reader, target, CHUNK_BYTES)
        sync(path)
        self._hashes[member.name] = reader.sha256
        return True

    def compare(self, manifest: Manifest) -> None:
        """Raise `_Damaged` unless all is there, and nothing else."""
        found = dict(self._hashes)
        if found.pop(HASHES, None) is None:
            raise _Damaged(f"it ends before {HASHES}: it was cut short")
        expected = json.loads((self._folder / HASHES).read_bytes())
        if not isinstance(expected, dict) or found.keys() != expected.keys():
            raise _Damaged("it does not hold the files that it lists")
        if wrong := [name for name, sha256 in sorted(found.items()) if sha256 != expected[name]]:
            raise _Damaged(f"SHA-256 differs: {', '.join(wrong[:5])}")
        if manifest.database is not None and manifest.database not in found:
            raise _Damaged(f"it lacks {manifest.database}")


def _manifest(content: bytes) -> Manifest:
    values: Any = json.loads(content)
    if not isinstance(values, dict) or not isinstance(values.get("format"), int):
        raise _Damaged(f"{MANIFEST} is not one of ours")
    if values["format"] > FORMAT:
        raise AppError(f"the backup was written by a newer program ({values.get('program')}): install that one first")
    if values.keys() != {one.name for one in fields(Manifest)} or values["database"] not in (None, *dumps.KINDS):
        raise _Damaged(f"{MANIFEST} is not one of ours")
    if not isinstance(values["schema"], str | None) or not isinstance(values["program"], str):
        raise _Damaged(f"{MANIFEST} is not one of ours")
    return Manifest(**values)


def _check(manifest: Manifest, place: Place) -> None:
    """Refuse what cannot be put into the place, before gigabytes are unpacked."""
    if manifest.database is None or place.database is None:
        return
    if manifest.schema not in dumps.known_revisions():
        raise AppError(
            f"the backup has the schema {manifest.schema}, which this program does not know: nothing was changed. "
            f"It was written by version {manifest.program}; install that one or a later one first"
        )
    kind, wanted = dumps.KINDS[manifest.database], dumps.kind_of(place.database)
    if kind is not wanted:
        raise AppError(
            f"the backup is of {kind.name}, and TRAGHETTO_DATABASE_URL names {wanted.name}: nothing was changed. A "
            "backup goes back to the kind of database that it came from; corrections go from one to the other with: "
            "traghetto corrections export, import"
        )
    kind.check_empty(make_url(place.database))


def _put(manifest: Manifest, place: Place, work: Path) -> Found:
    """Move what was unpacked to its place. The database first: should it not go in, nothing has changed."""
    if manifest.database is not None and place.database is not None:
        dumps.KINDS[manifest.database].load(work / manifest.database, make_url(place.database))
    models = work / MODELS
    versions = sorted(f"{card.parts[-3]}/{card.parts[-2]}" for card in models.glob(f"*/*/{CARD}"))
    if models.is_dir():
        with contextlib.suppress(FileNotFoundError):
            place.models.rmdir()
        models.rename(place.models)  # versions and pointers at once
        sync(place.models.parent)
    return Found(versions)

"""What an archive of `traghetto backup` looks like.

manifest.json                       what follows, and whose it is: see `Manifest`
database.sqlite | database.dump     see `app.storage.dumps`; neither if it was left out
models/<pair>/current.json          the pointers
models/<pair>/<version>/...         the trained versions
sha256.json                         the SHA-256 of all the others
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from model.versions.card import PAIR, POINTER, VERSION

FORMAT = 1
MANIFEST, HASHES, MODELS = "manifest.json", "sha256.json", "models"
MEMBER = re.compile(
    rf"{re.escape(MANIFEST)}|{re.escape(HASHES)}|database\.(?:sqlite|dump)|{MODELS}/{PAIR.pattern}/"
    rf"(?:{re.escape(POINTER)}|{VERSION.pattern}/[A-Za-z0-9][A-Za-z0-9._-]*)"
)
"""What may be in an archive: none of these names leads out of a folder."""
CHUNK_BYTES = 1_048_576

Advance = Callable[[int], None]
"""Told how many bytes were read since it was told last."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is copied, or where it is put back."""

    models: Path
    """The root of versions and pointers; it may be missing."""
    database: str | None
    """Its URL; None leaves it out."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """`manifest.json`."""

    program: str
    """Version of the program that wrote the archive."""
    database: str | None
    """The member that holds the database."""
    schema: str | None
    """Its revision."""
    created: str
    """ISO 8601, UTC."""
    format: int = FORMAT


@dataclass(slots=True)
class Found:
    """What an archive holds, for people."""

    versions: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """What was not taken, or is not as it should be: one sentence each."""


class Counted(io.RawIOBase):
    """A file that tells how much of it is read."""

    def __init__(self, file: IO[bytes], advance: Advance) -> None:
        self._file, self._advance = file, advance

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        content = self._file.read(size)
        self._advance(len(content))
        return content


class Hashing(Counted):
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes], advance: Advance) -> None:
        super().__init__(file, advance)
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        content = super().read(size)
        self._hash.update(content)
        return content

    @property
    def sha256(self) -> str:
        """Of what was read so far, in hexadecimal."""
        return self._hash.hexdigest()


def nobody(_count: int) -> None:
    """An `Advance` that nobody looks at."""


def to_json(value: object) -> bytes:
    """As the two JSON files of an archive are written."""
    return (json.dumps(value, indent=2) + "\n").encode()

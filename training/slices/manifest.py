"""What is in a folder that travels to a GPU:

manifest.json                   size and SHA-256 of each of the others, and where the weights come from
set.zip                         the prepared set, thinned where it was too large
<pair>/weights.safetensors      the weights to begin from, in 8 bits
<pair>/source.model target.model    the vocabularies that belong to them
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from model.config import require
from model.errors import ConfigError

FORMAT = "traghetto-pack-1"
MANIFEST, SET, WEIGHTS = "manifest.json", "set.zip", "weights.safetensors"
MIB = 2**20


@dataclass(frozen=True)
class Packed:
    """One file of the folder."""

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Packed:
        """That of the file at `path`."""
        with path.open("rb") as file:
            return cls(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


@dataclass(frozen=True)
class Manifest:
    """The contents of `manifest.json`."""

    starts: dict[str, str]
    """Pair -> the name of the run or version that its weights are of."""
    files: dict[str, Packed]
    """Path in the folder -> the file."""

    @property
    def bytes(self) -> int:
        """Of all files together, without the manifest."""
        return sum(file.bytes for file in self.files.values())

    @classmethod
    def of(cls, folder: Path, starts: dict[str, str]) -> Manifest:
        """That of the files that lie in `folder`."""
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
        return cls(starts, {path.relative_to(folder).as_posix(): Packed.of(path) for path in paths})

    def write(self, folder: Path) -> None:
        """Write `manifest.json`."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1)
        (folder / MANIFEST).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of `folder`, once every file of it was found unchanged.

        Raises:
            ConfigError: there is none, or a file is missing or was changed on the way.
        """
        path = folder / MANIFEST
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            require(values["format"] == FORMAT, f"{path} is of another program")
            found = cls(values["starts"], {name: Packed(**file) for name, file in values["files"].items()})
        except OSError as error:
            raise ConfigError(f"{folder} is not what `gpu-slice pack` makes: no {MANIFEST}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"{path} is damaged: {error!r}") from error
        for name, file in found.files.items():
            whole = (folder / name).is_file() and Packed.of(folder / name) == file
            require(whole, f"{folder / name} is missing or was changed on the way; carry the folder again")
        return found

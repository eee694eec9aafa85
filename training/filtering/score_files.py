"""Scores on disk: a folder for each table, a file for each part of it, so that scoring can stop and go on.

    manifest.json                   what the scores depend on: models, limits, sample
    <table>/0000.safetensors        the first `PART_PAIRS` usable pairs of the table, in its order
    <table>/0001.safetensors        ...

A part holds `fingerprints` (uint64), `it_en`, `en_it` and `gain` (float16, nats a token; NaN: not scored), `tokens`
(uint16, of the longer side), and how many pairs the table has. No text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from model.config import require
from model.errors import ConfigError

PART_PAIRS = 2000
"""One to two minutes of a CPU core: at most so much is lost when scoring is stopped."""
MANIFEST = "manifest.json"
FORMAT = "traghetto-scores-1"


def dual_of(it_en: NDArray[np.float32], en_it: NDArray[np.float32]) -> NDArray[np.float32]:
    """Dual conditional cross-entropy, the higher the worse (Junczys-Dowmunt 2018, section 3.1): the models of both
    directions should find a pair likely, and equally so. NaN where either is."""
    found: NDArray[np.float32] = np.abs(it_en - en_it) + (it_en + en_it) / 2
    return found


@dataclass(frozen=True)
class Scores:
    """Of some pairs of one table, an entry for each in every array."""

    fingerprints: NDArray[np.uint64]
    it_en: NDArray[np.float16]
    """Cross-entropy of the English given the Italian, in nats a token of the English."""
    en_it: NDArray[np.float16]
    gain: NDArray[np.float16]
    """By how much either side is likelier given its own other side than given that of another pair, as a mean of both
    directions, in nats a token: rare words and free translations have some, pairs that are none have nothing. NaN for
    all but those with the worst dual score of their part."""
    tokens: NDArray[np.uint16]
    """Of the longer side, without the end mark."""

    @property
    def dual(self) -> NDArray[np.float32]:
        """Dual conditional cross-entropy, see `dual_of`."""
        return dual_of(self.it_en.astype(np.float32), self.en_it.astype(np.float32))

    def __len__(self) -> int:
        return len(self.fingerprints)

    def __getitem__(self, rows: Any) -> Scores:
        return Scores(*(getattr(self, name)[rows] for name in FIELDS))


FIELDS = tuple(Scores.__dataclass_fields__)


def part_path(folder: Path, table: str, number: int) -> Path:
    """Where a part of a table lies."""
    return folder / table / f"{number:04}.safetensors"


def write_part(path: Path, scores: Scores, of: int) -> None:
    """Write a part of a table that has `of` pairs, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    save_file({name: getattr(scores, name) for name in FIELDS}, temporary, {"of": str(of)})
    temporary.replace(path)


def read_part(path: Path) -> tuple[Scores, int]:
    """A part, and how many pairs its table has.

    Raises:
        ConfigError: it is damaged.
    """
    try:
        with safe_open(path, framework="np") as file:
            return Scores(*(file.get_tensor(name) for name in FIELDS)), int(file.metadata()["of"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"these scores are damaged ({error}): remove them and score again", path) from error


def read_table(folder: Path, table: str) -> tuple[Scores, bool]:
    """What is scored of a table, and whether that is all of it."""
    parts = [read_part(path) for path in sorted((folder / table).glob("[0-9]*.safetensors"))]
    require(bool(parts), f"{folder} has no scores of {table}")
    columns = zip(*([getattr(part, name) for name in FIELDS] for part, _ in parts), strict=True)
    scores = Scores(*map(np.concatenate, columns))
    return scores, all(len(scores) == of for _, of in parts)


def scored_tables(folder: Path) -> list[str]:
    """Names of the tables of which something is scored."""
    return sorted({path.parent.name for path in folder.glob("*/[0-9]*.safetensors")})


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the scores in `folder` depend on.

    Raises:
        ConfigError: it is no folder of scores.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"this is no folder of scores ({error})", folder) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ConfigError("this is no folder of scores of this program", folder)
    return manifest


def claim(folder: Path, depends_on: dict[str, Any]) -> None:
    """Write the manifest, or see that the one there says the same.

    Raises:
        ConfigError: the scores in `folder` depend on something else.
    """
    wanted = {"format": FORMAT, **depends_on}
    if (folder / MANIFEST).exists():
        found = read_manifest(folder)
        other = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        require(not other, f"{folder} holds scores with other {', '.join(other)}; choose another folder")
        return
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{MANIFEST}.partial"
    temporary.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder / MANIFEST)

"""A prepared set made small enough to travel: pairs of the largest groups are left out, always the same ones."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

from model.errors import ConfigError
from training.config import TrainingConfig
from training.data.prepared import LANGUAGES, MANIFEST, UNREADABLE, check_shape, read_table, write_table

WHOLE = frozenset(("everyday", "ordinary", "conversation", "words", "placeholders"))
"""Groups that are never thinned."""
PACKING = 0.9
"""A group of which the share s is left takes about s ** 0.9 of its bytes: fewer neighbours are alike."""
TRIES = 4

Left = dict[str, tuple[int, int]]
"""Group -> pairs that are left, of how many."""


def thin(path: Path, out: Path, max_bytes: int, config: TrainingConfig) -> Left:
    """Write the prepared set `path` to `out` in at most `max_bytes`; what was left out of which group.

    Its largest groups are cut to one size, as far as it takes; which pairs stay depends on the pairs alone. Of a set
    that fits already nothing is left out.

    Raises:
        ConfigError: it is not a prepared set, is damaged, was prepared with other settings, or cannot be made so small.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_shape(path, json.loads(archive.read(MANIFEST)), config)
            packed = _packed_sizes(archive)
            if path.stat().st_size <= max_bytes:
                shutil.copyfile(path, out)
                return {}
            rest = path.stat().st_size - sum(packed.values())
            room = float(max_bytes - rest)
            for _ in range(TRIES):
                left = _write_thinned(archive, out, _shares(packed, room, path, max_bytes))
                over = out.stat().st_size / max_bytes
                if over <= 1:
                    return left
                room -= (out.stat().st_size - max_bytes) * 1.1
    except UNREADABLE as error:
        raise ConfigError(f"{path} is not a prepared training set, or is damaged: {error}") from error
    raise ConfigError(f"{path} does not become as small as {max_bytes:,} bytes")


def _packed_sizes(archive: zipfile.ZipFile) -> dict[str, int]:
    """Group that may be thinned -> its packed bytes, both sides."""
    sizes: dict[str, int] = {}
    for info in archive.infolist():
        folder, _, name = info.filename.rpartition("/")
        group = name.rpartition(".")[0]
        if folder == "groups" and group not in WHOLE:
            sizes[group] = sizes.get(group, 0) + info.compress_size
    return sizes


def _shares(packed: Mapping[str, int], room: float, path: Path, max_bytes: int) -> dict[str, float]:
    """Group -> share of its pairs that stays, so that all `packed` take `room` bytes: the largest become equal."""
    if room <= 0:
        whole = ", ".join(sorted(WHOLE))
        raise ConfigError(f"{path} does not fit {max_bytes:,} bytes even without all but its groups {whole}")
    level = room
    for done, size in enumerate(sorted(packed.values())):
        level = room / (len(packed) - done)
        if size >= level:
            break
        room -= size
    return {group: min(1.0, level / size) ** (1 / PACKING) for group, size in packed.items() if size > level}


def _write_thinned(archive: zipfile.ZipFile, out: Path, shares: Mapping[str, float]) -> Left:
    """Write what is in `archive` to `out`, of the groups of `shares` that share of the pairs."""
    left: Left = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as thinned:
        for group, share in shares.items():
            pairs = read_table(archive, f"groups/{group}")
            kept = [pair for pair in pairs if crc32("\t".join(pair).encode()) < share * 2**32]
            write_table(thinned, f"groups/{group}", kept)
            left[group] = len(kept), len(pairs)
        gone = {f"groups/{group}.{language}" for group in shares for language in LANGUAGES}
        for info in archive.infolist():
            if info.filename == MANIFEST:
                manifest: dict[str, Any] = {**json.loads(archive.read(info)), "thinned": left}
                thinned.writestr(MANIFEST, json.dumps(manifest, ensure_ascii=False))
            elif info.filename not in gone:
                thinned.writestr(info.filename, archive.read(info))
    return left

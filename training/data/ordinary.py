"""The tables that come with the program: sentences written for it, `training/ordinary/FIELD.tsv`.

A table is Italian TAB English, as any other; its name in settings is `ordinary/FIELD`, so that `ordinary/*` means all.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "ordinary"
PREFIX = f"{FOLDER.name}/"
"""How the names of these tables begin, and of no other."""


def ordinary_tables() -> dict[str, Path]:
    """The tables by name."""
    return {PREFIX + path.stem: path for path in sorted(FOLDER.glob("*.tsv"))}

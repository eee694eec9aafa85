"""The tables that come with the program: sentences of our own writing, `training/ordinary/FIELD.tsv`.

A table is Italian TAB English, as any other; its name in settings is `ordinary/FIELD`, so that `ordinary/*` means all.
"""

from __future__ import annotations

from pathlib import Path

ORDINARY = Path(__file__).parents[1] / "ordinary"


def own_tables() -> dict[str, Path]:
    """The tables by name."""
    return {f"{ORDINARY.name}/{path.stem}": path for path in sorted(ORDINARY.glob("*.tsv"))}

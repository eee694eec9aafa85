"""Files that survive a crash: what is renamed into its place is whole, and is on the disk."""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Force a file or folder to the disk, so that a rename never shows less than was written."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` such that every reader, also after a crash, sees all of the old text or all of the new.

    The caller keeps other writers of `path` away: all use one temporary name, so that a crash leaves at most one.
    """
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o644)  # whatever the umask: the server may run as somebody else
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)

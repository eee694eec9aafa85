"""Files that survive a crash: what is renamed into its place is whole, and is on the disk."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model.errors import VersionError

LOCK_STEP_S = 0.01


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


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its place at the end; nothing is left behind on failure."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        for path in temporary.iterdir():
            path.chmod(0o644)  # safetensors writes for the owner alone; a server may run as somebody else
            sync(path)
        sync(temporary)
        old = temporary.with_name(temporary.name + ".old")
        if folder.exists():
            folder.rename(old)
        try:
            temporary.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
        sync(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def locked(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold the lock in `path`, which the system lets go when a process dies.

    Raises:
        VersionError: another process has held it for `timeout_s`.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)  # NFS asks for write access
    try:
        ends = time.monotonic() + timeout_s
        while not _try_to_lock(descriptor):
            if time.monotonic() > ends:
                raise VersionError(f"another process has held it for {timeout_s:g} s; try again", path)
            time.sleep(LOCK_STEP_S)
        yield
    finally:
        os.close(descriptor)


def _try_to_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

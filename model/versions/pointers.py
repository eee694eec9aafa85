"""Which version of a pair is current: a pointer in the models root that people and programs write to.

    <root>/<pair>/current.json    {"version": "b", "history": ["default", "a"], "moved_at": "2026-...", "format": 1}

`promote` appends the version that was current to `history`, `rollback` takes the last one from it. A pair without a
pointer serves `DEFAULT`. Moves are serialised between processes by a lock on `.current.lock` beside the pointer, and
the file is renamed into its place: killed at any moment, a move has happened or it has not. Where servers share a store
(`app.versions.shared_pointers`), the pointer there is the truth, and this file follows it (`adopt`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from model.config import JsonConfig
from model.errors import ConfigError, ModelError, VersionDamaged, VersionError, VersionNotFound
from model.versions.card import POINTER, check_name
from model.versions.disk import locked, write_whole

DEFAULT = "default"
"""The version that serves when there is no pointer and nobody names one."""
LOCK = ".current.lock"
FORMAT = 1
MAX_HISTORY = 200
"""Earlier versions that a pointer remembers; older ones are forgotten."""
LOCK_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Pointer(JsonConfig):
    """The pointer of one pair."""

    version: str
    history: tuple[str, ...] = ()
    """The versions that were current before, oldest first."""
    moved_at: str = ""
    """ISO 8601, UTC."""
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ConfigError(f"it has format {self.format!r}; this program reads format {FORMAT}")
        if not isinstance(self.history, list | tuple) or not isinstance(self.moved_at, str):
            raise ConfigError("history must be a list of version names, moved_at a string")
        object.__setattr__(self, "history", tuple(self.history))
        for version in (self.version, *self.history):
            check_name("it-en", version)


@dataclass(frozen=True)
class Move:
    """What a promotion or a rollback did."""

    pair: str
    version: str
    """Current from now on."""
    previous: str
    """Current before; the same if nothing had to be done."""


def read(root: Path, pair: str) -> Pointer | None:
    """The pointer of `pair` in `root`, or None if there is none.

    Raises:
        VersionError: `pair` is not a language pair.
        VersionDamaged: the file cannot be read, or is not a pointer; names the file.
    """
    content = read_bytes(root, pair)
    return None if content is None else parse(root, pair, content)


def read_bytes(root: Path, pair: str) -> bytes | None:
    """The pointer as it is written, or None: equal bytes mean that nobody has moved or renewed it.

    Raises:
        VersionError: `pair` is not a language pair.
        VersionDamaged: the file cannot be read; names the file.
    """
    check_name(pair, DEFAULT)
    path = root / pair / POINTER
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise VersionDamaged(f"the pointer cannot be read: {error.strerror}", path) from error


def parse(root: Path, pair: str, content: bytes) -> Pointer:
    """The pointer that `read_bytes` has read.

    Raises:
        VersionDamaged: it is none; names the file.
    """
    try:
        return Pointer.from_json(content.decode())
    except (ConfigError, VersionError, UnicodeDecodeError) as error:
        why = error.problem if isinstance(error, ModelError) else error
        raise VersionDamaged(
            f"this is not a pointer of ours: {why}. Remove it to go back to {DEFAULT}, then promote a version",
            root / pair / POINTER,
        ) from error


def current(roots: Sequence[Path], pair: str) -> str:
    """The version that is current: the one that the pointer in the first of `roots` names, else `DEFAULT`.

    Raises:
        VersionError, VersionDamaged: as `read`.
    """
    pointer = read(roots[0], pair) if roots else None
    return DEFAULT if pointer is None else pointer.version


def promote(roots: Sequence[Path], pair: str, version: str, expected: str | None = None) -> Move:
    """Make `version`, which may be in any of `roots`, the current one; the pointer is in the first root.

    If it is current already, the version and the history stay, and the file is renewed: servers that could not load
    the version try again.

    Args:
        expected: move only if this is the current version, such as the one that a candidate was compared with.

    Raises:
        VersionNotFound: there is no such version.
        VersionDamaged: the pointer that is there cannot be read.
        VersionError: a name is not allowed, another version than `expected` is current, the pointer cannot be
            written, or another process is moving it all the time.
    """
    check_name(pair, version)
    _find(roots, pair, version)
    return _move(roots[0], pair, lambda before: promoted(before, version), expected)


def rollback(roots: Sequence[Path], pair: str, expected: str | None = None) -> Move:
    """Go back to the version that was current before; `expected` as in `promote`.

    Raises:
        VersionNotFound: the version before is gone; promote another one by name.
        VersionDamaged: the pointer that is there cannot be read.
        VersionError: there was none before, and as `promote`.
    """

    def moved(before: Pointer) -> Pointer:
        after = rolled_back(before, pair)
        _find(roots, pair, after.version)
        return after

    previous_of(read(roots[0], pair), pair)  # before a folder is made for a pair that does not exist
    return _move(roots[0], pair, moved, expected)


def promoted(before: Pointer, version: str) -> Pointer:
    """`before`, moved on to `version`."""
    if before.version == version:
        return before
    return Pointer(version, (*before.history, before.version)[-MAX_HISTORY:])


def rolled_back(before: Pointer, pair: str) -> Pointer:
    """`before`, moved back by one.

    Raises:
        VersionError: no other was current before.
    """
    return Pointer(previous_of(before, pair), before.history[:-1])


def step(before: Pointer, pair: str, moved: Callable[[Pointer], Pointer], expected: str | None) -> Pointer:
    """What a move makes of the pointer that it finds, with the time of the move.

    Raises:
        VersionError: another version than `expected` is current, or as `moved`.
    """
    if expected is not None and before.version != expected:
        raise VersionError(f"the current version of {pair} is {before.version} by now, no longer {expected}")
    return replace(moved(before), moved_at=datetime.now(UTC).isoformat())


def adopt(root: Path, pair: str, newest: Callable[[], Pointer | None]) -> bool:
    """Have the file hold what `newest` gives, which is asked while nobody else may write; whether it did not before.

    None: the file stays as it is. One that is damaged is replaced: it is a copy.

    Raises:
        VersionError: the file cannot be written, or another process is writing all the time; and as `newest`.
    """
    folder = root / pair
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / LOCK, LOCK_TIMEOUT_S):
            pointer = newest()
            if pointer is None or is_held(root, pair, pointer):
                return False
            write_whole(folder / POINTER, pointer.to_json())
    except OSError as error:
        raise VersionError(f"the pointer cannot be written: {error.strerror}", folder / POINTER) from error
    return True


def is_held(root: Path, pair: str, pointer: Pointer) -> bool:
    """Whether the file holds this very pointer."""
    try:
        return read_bytes(root, pair) == pointer.to_json().encode()
    except VersionDamaged:
        return False


def previous_of(pointer: Pointer | None, pair: str) -> str:
    """The version that `rollback` would go back to.

    Raises:
        VersionError: no other was current before.
    """
    if pointer is None or not pointer.history:
        version = DEFAULT if pointer is None else pointer.version
        raise VersionError(f"no version of {pair} was current before {version}: there is nothing to go back to")
    return pointer.history[-1]


def _find(roots: Sequence[Path], pair: str, version: str) -> None:
    if not any((root / pair / version).is_dir() for root in roots):
        raise VersionNotFound(f"there is no version {version} of {pair}; traghetto models list shows what there is")


def _move(root: Path, pair: str, moved: Callable[[Pointer], Pointer], expected: str | None) -> Move:
    folder = root / pair
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / LOCK, LOCK_TIMEOUT_S):
            before = read(root, pair) or Pointer(DEFAULT)
            after = step(before, pair, moved, expected)
            write_whole(folder / POINTER, after.to_json())
    except OSError as error:
        raise VersionError(f"the pointer cannot be moved: {error.strerror}", folder / POINTER) from error
    return Move(pair, after.version, before.version)

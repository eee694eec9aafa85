"""Which version of a pair is current for all servers of a store: the last of a series of pointers.

    <store>/<pair>/_pointer/000000000017.json     as `model.versions.pointers` has it

A move creates the next number, which only one can: whoever is late reads again and moves on from what it finds then. No
pointer is changed or removed, so that the next one is there or not there, and to look for it is a single read.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import NamedTuple

from app.errors import StoreDown
from app.versions.shared_objects import Objects
from model.errors import ConfigError, ModelError, VersionDamaged, VersionError
from model.versions.card import check_name
from model.versions.pointers import DEFAULT, Move, Pointer, step

log = logging.getLogger("traghetto.store")

FOLDER, SUFFIX, DIGITS = "_pointer", ".json", 12
"""No version may have this name."""
TRIES = 30
WAIT_S = 0.02
"""Before another try at most, times their number: several that move at once shall not keep step."""


class Numbered(NamedTuple):
    """A pointer, and its place in the series."""

    number: int
    pointer: Pointer


class PointerSeries:
    """The pointers of a store."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def newest(self, pair: str, known: Numbered | None = None) -> Numbered | None:
        """The current pointer of `pair`, from `known` on, which is none older; None if nobody has moved it yet.

        Raises:
            StoreDown: the store does not answer.
            VersionError: `pair` is not a language pair.
            VersionDamaged: what is there is not a pointer.
        """
        check_name(pair, DEFAULT)
        if known is None:
            numbers = [number for name in self._objects.names(f"{pair}/{FOLDER}") if (number := _number(name))]
            known = self._read(pair, max(numbers)) if numbers else None
        while (later := self._read(pair, known.number + 1 if known else 1)) is not None:
            known = later
        return known

    def move(
        self, pair: str, moved: Callable[[Pointer], Pointer], expected: str | None = None, first: Pointer | None = None
    ) -> tuple[Move, Numbered]:
        """Make of the current pointer what `moved` gives.

        Args:
            expected: move only if this is the current version.
            first: what is current if nobody has moved it yet; none: the default.

        Raises:
            StoreDown: the store does not answer.
            VersionError: another than `expected` is current, others move it all the time, and as `moved`.
        """
        known = None
        for number in range(TRIES):
            known = self.newest(pair, known)
            before = known.pointer if known else first or Pointer(DEFAULT)
            after = Numbered(known.number + 1 if known else 1, step(before, pair, moved, expected))
            if self._create(_name(pair, after.number), after.pointer.to_json().encode()):
                return Move(pair, after.pointer.version, before.version), after
            log.info("%s: somebody else has moved the pointer meanwhile", pair)
            time.sleep(random.uniform(0, WAIT_S * (number + 1)))
        raise VersionError(f"others move the pointer of {pair} all the time; try again")

    def _create(self, name: str, content: bytes) -> bool:
        """As `Objects.create`, also where only the answer got lost."""
        try:
            return self._objects.create(name, content)
        except StoreDown:
            if self._objects.read(name) != content:
                raise
            return True

    def _read(self, pair: str, number: int) -> Numbered | None:
        name = _name(pair, number)
        content = self._objects.read(name)
        if content is None:
            return None
        try:
            return Numbered(number, Pointer.from_json(content.decode()))
        except (ConfigError, VersionError, UnicodeDecodeError) as error:
            why = error.problem if isinstance(error, ModelError) else error
            raise VersionDamaged(
                f"this is not a pointer of ours: {why}. Put it right, or remove it to go back to the one before",
                f"{self._objects.url}/{name}",
            ) from error


def _name(pair: str, number: int) -> str:
    return f"{pair}/{FOLDER}/{number:0{DIGITS}}{SUFFIX}"


def _number(name: str) -> int:
    """Its number; 0 for what is not ours."""
    digits = name.removesuffix(SUFFIX)
    return int(digits) if name.endswith(SUFFIX) and len(digits) == DIGITS and digits.isdecimal() else 0

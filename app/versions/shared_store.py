"""A store of versions that several servers share: which one is current for all, and how a server comes to have it.

The store is the truth; the pointers and versions in a server's data directory follow it, and everything else goes on
looking there. Versions that came with the program are not in the store: every server has them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from app.errors import StoreDown
from app.versions.shared_objects import Objects
from app.versions.shared_pointers import Numbered, PointerSeries
from app.versions.shared_versions import SharedVersions, is_name
from app.versions.store import model_roots, pointer_root
from model.errors import ModelError, VersionError, VersionNotFound
from model.versions import pointers
from model.versions.card import Card, check_name
from model.versions.pointers import Move, Pointer

if TYPE_CHECKING:
    from app.settings import Settings

log = logging.getLogger("traghetto.store")


class SharedStore:
    """A store, and the data directory that follows it. Not for the event loop. All methods may raise `StoreDown`."""

    def __init__(self, settings: Settings, url: str) -> None:
        objects = Objects(url)
        self.versions = SharedVersions(objects, pointer_root(settings))
        self._series = PointerSeries(objects)
        self._root, self._roots = pointer_root(settings), model_roots(settings)
        self._known: dict[str, Numbered] = {}
        """The last pointer that was seen of each pair."""
        self._checked: dict[str, Numbered] = {}
        """By pair, the last pointer whose version was looked at here and found whole, or as good as it can be had."""

    @classmethod
    def of(cls, settings: Settings) -> SharedStore | None:
        """That of the settings; None if they name none."""
        return None if settings.models_url is None else cls(settings, settings.models_url)

    def current(self, pair: str) -> Pointer | None:
        """The pointer of `pair`, the same for all; None if nobody has moved it yet.

        Raises:
            VersionError: as `PointerSeries.newest`.
        """
        found = self._newest(pair)
        return None if found is None else found.pointer

    def follow(self, pair: str) -> bool:
        """Have the data directory's pointer be that of the store, and its version beside it; whether it was not.

        A version that is here is not looked at before the pointer moves to it, so that this is quick, but at the next
        call. If it is damaged it is fetched anew; who could not load it tries again (`Swapper`).

        Raises:
            VersionError: as `provide`; the pointer stays as it is.
        """
        while (found := self._newest(pair)) is not None:
            version = found.pointer.version
            if not pointers.is_held(self._root, pair, found.pointer):
                self._have(pair, version, check=False)
                if pointers.adopt(self._root, pair, partial(self._unless_moved, pair, found)):
                    return True
            elif self._checked.get(pair) == found and self._is_here(pair, version):
                return False
            else:
                was_mended = self._have(pair, version, check=True)
                self._checked[pair] = found
                return was_mended
        return False

    def catch_up(self, pair: str) -> None:
        """`follow`, and have what the current version descends from.

        Raises:
            VersionError: as `provide`.
        """
        self.follow(pair)
        self.provide_ancestors(pair, pointers.current(self._roots, pair))

    def provide(self, pair: str, version: str) -> None:
        """Have a version on this machine, whole: a copy that is damaged is replaced by what the store has.

        Raises:
            VersionNotFound: neither the store nor this machine has it.
            VersionError: as `SharedVersions.fetch`.
        """
        self._have(pair, version, check=True)

    def _have(self, pair: str, version: str, *, check: bool) -> bool:
        """As `provide`, which does `check`; whether it was fetched."""
        try:
            return self.versions.fetch(pair, version, check=check)
        except VersionNotFound:
            if not self._is_here(pair, version):
                raise
            return False

    def provide_ancestors(self, pair: str, version: str) -> None:
        """Have the versions that `version` descends from, as far as they are anywhere: their cards tell what it has
        learnt, and the gate of a retraining compares with the oldest.

        Raises:
            VersionError: as `SharedVersions.fetch`.
        """
        for name in self._descent(pair, version):
            if not self._is_here(pair, name):
                try:
                    self.versions.fetch(pair, name)
                except VersionNotFound:
                    return

    def push(self, pair: str, version: str) -> bool:
        """Send a version to the store, after those that it descends from; whether there was anything to do.

        Raises:
            VersionNotFound: this machine has no such version.
            VersionError: it came with the program; and as `SharedVersions.push`.
        """
        check_name(pair, version)
        if not self._is_own(pair, version):
            if self._is_here(pair, version):
                raise VersionError(f"{pair}/{version} came with the program: every server has it")
            raise VersionNotFound(f"there is no version {version} of {pair} to push")
        line = [version]
        for name in self._descent(pair, version):
            if name != version:
                if not self._is_own(pair, name) or self.versions.card(pair, name) is not None:
                    break
                line.append(name)
        pushed = [self.versions.push(pair, name) for name in reversed(line)]
        return any(pushed)

    def offer(self, pair: str, version: str, expected: str | None = None) -> None:
        """Push a version that is to be promoted, if only this server has it, so that the others can load it too.

        It is not pushed if another than `expected` is current. One that becomes so while this pushes is found out when
        the pointer is to move; then the version stays in the store, and nobody serves it.

        Raises:
            VersionError: another than `expected` is current; and as `push`.
        """
        if expected is not None:
            pointers.step(self._before(pair), pair, lambda before: before, expected)
        if self._is_own(pair, version):
            self.push(pair, version)

    def promote(self, pair: str, version: str, expected: str | None = None) -> Move:
        """As `pointers.promote`, for all servers; a version that only this one has is pushed first (`offer`).

        Raises:
            VersionError: as `offer`, `PointerSeries.move`.
        """
        self.offer(pair, version, expected)
        return self._move(pair, lambda before: pointers.promoted(before, version), expected)

    def rollback(self, pair: str, expected: str | None) -> Move:
        """As `pointers.rollback`, for all servers; a version that only this one has is pushed first.

        Raises:
            VersionError: as `push`, `PointerSeries.move`.
        """

        def rolled_back(before: Pointer) -> Pointer:
            after = pointers.rolled_back(before, pair)
            self.offer(pair, after.version)
            return after

        return self._move(pair, rolled_back, expected)

    def _move(self, pair: str, moved: Callable[[Pointer], Pointer], expected: str | None) -> Move:
        move, self._known[pair] = self._series.move(pair, moved, expected, self._before(pair))
        try:
            self.follow(pair)
        except (VersionError, StoreDown) as error:  # it has moved for all, whatever becomes of it here
            log.warning("%s: the pointer of the store cannot be followed here: %s", pair, error)
        return move

    def _before(self, pair: str) -> Pointer:
        """What a move begins from; if nobody has moved the pointer yet, what is here from before there was a store."""
        return self.current(pair) or pointers.read(self._root, pair) or Pointer(pointers.DEFAULT)

    def _newest(self, pair: str) -> Numbered | None:
        found = self._series.newest(pair, self._known.get(pair))
        if found is not None:
            self._known[pair] = found
        return found

    def _unless_moved(self, pair: str, found: Numbered) -> Pointer | None:
        return found.pointer if self._newest(pair) == found else None

    def _descent(self, pair: str, version: str) -> Iterator[str]:
        """`version`, its parent, and so on, as far as their cards are on this machine when it is asked for them. A
        card may tell of a parent in words, as those of the shipped versions do: that is none."""
        from app.versions.registry import parent_of

        seen: set[str] = set()
        here: str | None = version
        while here is not None and here not in seen and is_name(pair, here):
            seen.add(here)
            yield here
            card = self._local_card(pair, here)
            here = parent_of(card) if card is not None else None

    def _local_card(self, pair: str, version: str) -> Card | None:
        for root in self._roots:
            try:
                return Card.read(root / pair / version)
            except ModelError:
                continue
        return None

    def _is_own(self, pair: str, version: str) -> bool:
        return (self._root / pair / version).is_dir()

    def _is_here(self, pair: str, version: str) -> bool:
        return any((root / pair / version).is_dir() for root in self._roots)

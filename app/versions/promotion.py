"""Moving the pointers: promote a version, or roll back to the one before.

`promote` and `rollback` are plain functions for any process. Servers are told beforehand, and have the version ready
when the pointer moves; those that are not told notice by themselves. `Promoter` does the same for a server's own
routes, and has the worker that was asked follow at once. Where servers share a store (`app.versions.shared_store`), the
pointer there moves, and that of the data directory follows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from app.engine.engine import Engine
from app.errors import AppError, Conflict, NotFound, NotReady, StoreDown, told
from app.settings import Settings
from app.storage.notices import notify
from app.versions.shared_store import SharedStore
from app.versions.store import load_tested, model_roots, pointer_root
from app.versions.swapping import Swapper
from model.errors import ModelError, VersionError, VersionNotFound
from model.versions import pointers
from model.versions.card import check_name
from model.versions.pointers import Move
from model.versions.store import find

log = logging.getLogger("traghetto.promotion")

SWAP_TIMEOUT_S = 30.0
"""How long a route waits for its worker to follow."""


Load = Callable[[str, str], object]
"""Loads and tests a version of a pair, with the errors of `load_tested`."""


def promote(
    settings: Settings,
    pair: str,
    version: str,
    expected: str | None = None,
    store: SharedStore | None = None,
    load: Load | None = None,
) -> Move:
    """Check the hashes of `version`, let it translate, then make it the current one.

    Args:
        expected: move only if this is the current version, such as the one that `version` was compared with.
        store: that of the settings, where it is open already.
        load: what is done with the version before the pointer moves; none: `load_tested`.

    Raises:
        VersionNotFound: there is no such version.
        VersionError: it is damaged or fails its self-test, another than `expected` is current, or the pointer cannot
            be moved.
        ConfigError, NotReady: it cannot be used with these settings.
        StoreDown: the servers share a store, and it does not answer.
    """
    store = store or SharedStore.of(settings)
    _try_out(settings, pair, version, expected, store, load)
    if store is None:
        move = pointers.promote(model_roots(settings), pair, version, expected)
    else:
        move = store.promote(pair, version, expected)
    notify(settings.database, pair, move.version)
    log.info("%s: %s is the current version; before, it was %s", pair, move.version, move.previous)
    return move


def rollback(settings: Settings, pair: str, store: SharedStore | None = None, load: Load | None = None) -> Move:
    """Make the version that was current before the current one again, after the same checks as in `promote`.

    Args:
        store, load: as for `promote`.

    Raises:
        VersionError: there was none, it cannot be used any more, or the pointer cannot be moved.
        ConfigError, NotReady, StoreDown: as `promote`.
    """
    store = store or SharedStore.of(settings)
    shared = None if store is None else store.current(pair)
    pointer = shared or pointers.read(pointer_root(settings), pair)
    target = pointers.previous_of(pointer, pair)
    try:
        _try_out(settings, pair, target, None, store, load)
    except VersionError as error:
        problem = f"cannot go back to {target}; promote another version by name. {error.problem}"
        raise type(error)(problem, error.place) from error
    here = pointer.version if pointer else None
    move = pointers.rollback(model_roots(settings), pair, here) if store is None else store.rollback(pair, here)
    notify(settings.database, pair, move.version)
    log.info("%s: back to version %s, from %s", pair, move.version, move.previous)
    return move


def _try_out(
    settings: Settings, pair: str, version: str, expected: str | None, store: SharedStore | None, load: Load | None
) -> None:
    """Have a version here and in the store, and test it, while the servers fetch, load and test it too."""
    if store is None:
        find(model_roots(settings), pair, version)
    else:
        store.provide(pair, version)
        store.offer(pair, version, expected)
    notify(settings.database, pair, version, is_coming=True)
    (load or partial(load_tested, settings))(pair, version)


def _check_names(pair: str, version: str) -> None:
    try:
        check_name(pair, version)
    except VersionError as error:
        raise NotFound(told(error)) from error


@dataclass(frozen=True)
class Followed:
    """A move, and whether the worker that was asked translates with the version already."""

    move: Move
    loaded: bool


class Promoter:
    """Moves pointers for the routes: off the event loop, one at a time."""

    def __init__(self, settings: Settings, engine: Engine, swapper: Swapper, store: SharedStore | None = None) -> None:
        self._settings, self._engine, self._swapper, self._store = settings, engine, swapper, store
        self._turn = asyncio.Lock()

    async def promote(self, pair: str, version: str) -> Followed:
        """As the function `promote`; returns when this worker has swapped, or could not within its time.

        Raises:
            NotFound: there is no such version.
            Conflict: it cannot be used.
            StoreDown: the servers share a store, and it does not answer.
        """
        _check_names(pair, version)
        try:
            return await self._move(promote, pair, version)
        except VersionNotFound as error:
            raise NotFound(told(error)) from error
        except (ModelError, NotReady) as error:
            raise _refusal(pair, version, error) from error

    async def rollback(self, pair: str) -> Followed:
        """As the function `rollback`; returns as `promote` does.

        Raises:
            NotFound: this is not a language pair.
            Conflict: there is no version before, or it cannot be used.
            StoreDown: as `promote`.
        """
        _check_names(pair, pointers.DEFAULT)
        try:
            return await self._move(rollback, pair)
        except (ModelError, NotReady) as error:
            raise _refusal(pair, "the version before it", error) from error

    async def _move(self, move: Callable[..., Move], *names: str) -> Followed:
        moved = partial(move, self._settings, *names, store=self._store, load=self._swapper.load_ahead)
        async with self._turn:
            return await asyncio.to_thread(self._move_and_follow, moved)

    def _move_and_follow(self, move: Callable[[], Move]) -> Followed:
        try:
            moved = move()
        except StoreDown as error:
            log.warning("whether the pointer was moved is not known: %s", error)
            raise StoreDown(
                "The store of models does not answer. GET /v1/models tells whether anything was changed, once it does."
            ) from error
        self._swapper.look(moved.pair, SWAP_TIMEOUT_S)
        refusal = self._swapper.refused.get(moved.pair)
        if refusal is not None and refusal.version == moved.version:
            raise Conflict(f"{moved.version} is the current version now, but this worker refused it: {refusal.reason}")
        return Followed(moved, self._engine.versions.get(moved.pair) == moved.version)


def _refusal(pair: str, version: str, error: ModelError | AppError) -> Conflict:
    """Told to the client without the places that the log names."""
    log.warning("%s: %s was not made the current version: %s", pair, version, error)
    return Conflict(f"{pair}: {version} cannot be made the current version: {told(error)}")

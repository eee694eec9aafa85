"""Follows the store that servers share: a thread in each process that looks every few seconds, and at once when told.

What the store says is current comes to the data directory, where `Swapper` finds it; what is pushed while this runs is
fetched ahead, so that a promotion only has to load. While the store is away, everything goes on with what is there.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from app.errors import StoreDown, told
from app.languages import PAIRS
from app.metrics import Metrics
from app.versions.shared_store import SharedStore
from model.errors import ModelError, VersionNotFound
from model.versions.pointers import Pointer

log = logging.getLogger("traghetto.store")

LOOK_EVERY_S = 2.0
"""At the pointers: a read of an object that is not there yet, for each pair."""
LIST_EVERY_S = 30.0
"""What was pushed: a listing costs a dozen times what a read does."""
RETRY_S = 30.0
"""What is damaged in the store is not fetched again at each look."""
STOP_TIMEOUT_S = 10.0


class _Refused(NamedTuple):
    """A version that is current for all and cannot be had."""

    why: str
    pointer: Pointer | None
    at: float
    """On the monotonic clock."""

    def is_over(self, current: Pointer | None) -> bool:
        """Whether another is current, or it is time to try again."""
        return current != self.pointer or time.monotonic() - self.at >= RETRY_S


class StoreFollower:
    """Keeps a data directory up to date. `start` and `stop` belong to the event loop, `wake` to any thread."""

    def __init__(self, store: SharedStore, metrics: Metrics, changed: Callable[[], None]) -> None:
        """`changed` is called when a pointer of the data directory has moved, and when a version has come."""
        self._store, self._metrics, self._changed = store, metrics, changed
        self._told, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._expected: dict[str, str] = {}
        """By pair, a version that is about to be promoted."""
        self._seen: dict[str, set[str]] = {}
        """By pair, versions that need not be fetched ahead: those that were there at the first look, and tried ones."""
        self._complete: dict[str, str] = {}
        """By pair, the version whose ancestors are here, as far as they can be."""
        self._listed_at, self._is_down = -LIST_EVERY_S, False
        self._refused: dict[str, _Refused] = {}
        """By pair, of the version that is current."""

    def start(self) -> None:
        """Begin to look. A store that is away is waited for, by this thread alone."""
        self._thread.start()

    def wake(self) -> None:
        """Look now, also for what was pushed."""
        self._told.set()

    def expect(self, pair: str, version: str) -> None:
        """Fetch a version that is about to be promoted now; for any thread."""
        self._expected[pair] = version
        self._told.set()

    async def stop(self) -> None:
        """End; waits for what is being fetched, within bounds."""
        self._stopping.set()
        self._told.set()
        await asyncio.to_thread(self._thread.join, STOP_TIMEOUT_S)

    @property
    def problem(self) -> str | None:
        """Why this server may be behind the others; for clients. None if it is not."""
        if self._is_down:
            return "The store of models does not answer."
        refused = sorted(self._refused.copy().items())
        return " ".join(f"{pair}: the current version cannot be fetched: {one.why}." for pair, one in refused) or None

    def _run(self) -> None:
        was_told = False
        while not self._stopping.is_set():
            self._look(was_told)
            was_told = self._told.wait(LOOK_EVERY_S)
            self._told.clear()

    def _look(self, was_told: bool) -> None:
        try:
            for pair in PAIRS:
                self._fetch_expected(pair)
                self._follow(pair, was_told)
            if was_told or time.monotonic() - self._listed_at >= LIST_EVERY_S:
                for pair in PAIRS:
                    self._fetch_ahead(pair)
                self._listed_at = time.monotonic()
        except StoreDown as error:
            self._tell(error)
        except Exception as error:
            log.error("the store was not followed", exc_info=error)
        else:
            self._tell(None)

    def _tell(self, error: StoreDown | None) -> None:
        if error is not None:
            self._metrics.store_failures.inc()
        if error is not None and not self._is_down:
            log.warning("versions are not kept up to date, what is here goes on: %s", error)
        elif error is None and self._is_down:
            log.info("the store of models answers again")
        self._is_down = error is not None

    def _follow(self, pair: str, was_told: bool) -> None:
        refused = self._refused.get(pair)
        try:
            if refused is not None and not was_told and not refused.is_over(self._store.current(pair)):
                return
            has_moved = self._store.follow(pair)
        except ModelError as error:
            if refused is None or told(error) != refused.why:
                log.error("%s: what is current for all cannot be had, this server stays behind: %s", pair, error)
            self._refused[pair] = _Refused(told(error), self._seen_pointer(pair), time.monotonic())
            return
        self._refused.pop(pair, None)
        if has_moved:
            self._changed()

    def _seen_pointer(self, pair: str) -> Pointer | None:
        try:
            return self._store.current(pair)
        except ModelError:  # it is the pointer itself that is damaged
            return None

    def _fetch_expected(self, pair: str) -> None:
        version = self._expected.pop(pair, None)
        if version is None:
            return
        try:
            if self._store.versions.fetch(pair, version):
                self._changed()
        except VersionNotFound:  # it came with the program
            return
        except ModelError as error:
            log.warning("%s: version %s, which may be promoted, cannot be had: %s", pair, version, error)

    def _fetch_ahead(self, pair: str) -> None:
        """What is new, then what a rollback or a retraining would need of the old."""
        names = set(self._store.versions.names(pair))
        seen = self._seen.get(pair)
        if seen is None:  # what is being pushed just now is not among them
            seen = self._seen[pair] = set(self._store.versions.listing(pair))
        for name in sorted(names - seen):
            try:
                if self._store.versions.fetch(pair, name):
                    self._changed()
                self._follow(pair, was_told=False)  # a large version may have taken its time
            except VersionNotFound:  # it is being pushed
                continue
            except ModelError as error:
                log.warning("%s: version %s of the store cannot be had: %s", pair, name, error)
            seen.add(name)
        pointer = self._store.current(pair)
        if pointer is not None and pointer.version != self._complete.get(pair):
            self._fetch_old(pair, pointer)
            self._complete[pair] = pointer.version

    def _fetch_old(self, pair: str, pointer: Pointer) -> None:
        ancestors = partial(self._store.provide_ancestors, pair, pointer.version)
        for provide in (ancestors, *(partial(self._store.provide, pair, name) for name in pointer.history[-1:])):
            try:
                provide()
            except ModelError as error:
                log.warning("%s: not all that was before %s can be had: %s", pair, pointer.version, error)

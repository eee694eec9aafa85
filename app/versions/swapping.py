"""Follows the pointers: when one moves, the version that it names takes over, if it proves to be usable.

One thread a worker process looks twice a second, and at once when it is woken. It loads and tests what a pointer names
while the engine goes on translating, and hands it over (`Engine.replace`). What is about to be promoted can be loaded
beforehand, and takes over as soon as the pointer moves. A version that cannot be used is refused: the one before goes
on, and nothing is tried again until the pointer is moved or renewed, or the version is written anew.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from app.engine.engine import Engine
from app.errors import AppError, ShuttingDown, told
from app.languages import PAIRS
from app.metrics import Metrics
from app.settings import Settings
from app.versions.store import load_tested, pointer_root, written_at
from model.errors import ModelError, VersionError, VersionNotFound
from model.kernels.malloc import give_back_freed_memory
from model.versions import pointers

if TYPE_CHECKING:
    from model.translator import Translator

log = logging.getLogger("traghetto.engine")

LOOK_EVERY_S = 0.5
"""A promotion elsewhere is noticed after this time at most; then the version is loaded."""
HELD_S = 60.0
"""How long a version that is about to be promoted is kept ready; a promotion takes a second or two."""
STOP_TIMEOUT_S = 10.0


class Refusal(NamedTuple):
    """A version that is said to be current and does not serve."""

    version: str | None
    """None if the pointer itself is damaged."""
    reason: str
    """For clients."""
    written_at: int = 0
    """As `app.versions.store.written_at` before it was tried."""


class _Expected(NamedTuple):
    """A version that is about to be promoted."""

    version: str
    until: float
    """On the monotonic clock."""


class _Held(NamedTuple):
    """A version that is loaded and tested, and does not serve yet."""

    version: str
    written_at: int
    translator: Translator


class Swapper:
    """Brings the engine to the versions that the pointers name. `start` and `stop` belong to the event loop."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        metrics: Metrics,
        load: Callable[[Settings, str, str], Translator] = load_tested,
    ) -> None:
        self._settings, self._engine, self._metrics, self._load = settings, engine, metrics, load
        self._seen: dict[str, bytes | VersionError | None] = {}
        """What each pointer held when it was last followed, or why it could not be read."""
        self._expected: dict[str, _Expected] = {}
        self._held: dict[str, _Held] = {}
        """By pair, like what is expected. Belongs to whoever has the turn."""
        self._turn = threading.Lock()
        self._stopping, self._told = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="swapper", daemon=True)
        self.refused: Mapping[str, Refusal] = {}
        """By pair. Replaced as a whole, so that other threads may read it."""

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def wake(self) -> None:
        """Have the thread look now; for any thread."""
        self._told.set()

    def expect(self, pair: str, version: str) -> None:
        """Have the thread load a version that is about to be promoted; for any thread.

        It is looked for until it is here. If it is not promoted, it is let go again.
        """
        self._expected[pair] = _Expected(version, time.monotonic() + HELD_S)
        self._told.set()

    def load_ahead(self, pair: str, version: str) -> None:
        """Load and test a version that is about to be promoted here and now; blocks, so not on the event loop.

        Raises:
            VersionError, ConfigError, NotReady: it cannot be used.
        """
        with self._turn:
            self.expect(pair, version)
            self._hold(pair, version)

    async def stop(self) -> None:
        """End; waits for a version that is being loaded, within bounds."""
        self._stopping.set()
        self._told.set()
        await asyncio.to_thread(self._thread.join, STOP_TIMEOUT_S)

    @property
    def problem(self) -> str | None:
        """What was refused, for people; None if every pointer is followed."""
        told_of = ((pair, one.version or "the pointer", one.reason) for pair, one in sorted(self.refused.items()))
        return " ".join(f"{pair}: {what} is refused: {reason}." for pair, what, reason in told_of) or None

    def look(self, pair: str, timeout_s: float) -> None:
        """Follow the pointer of `pair` now; blocks, so not on the event loop.

        Returns without doing anything when the engine is not ready, or when another look takes all of `timeout_s`.
        """
        if not self._turn.acquire(timeout=timeout_s):
            return
        try:
            if self._engine.state == "ready":
                self._follow(pair)
        finally:
            self._turn.release()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._told.wait(LOOK_EVERY_S)
            self._told.clear()
            if self._stopping.is_set():
                return
            for pair in PAIRS:
                self.look(pair, LOOK_EVERY_S)
                self._get_ready(pair)

    def _get_ready(self, pair: str) -> None:
        """Hold what is expected, until it serves or it is too late."""
        with self._turn:
            expected = self._expected.get(pair)
            if expected is None:
                return
            version = expected.version
            if self._engine.versions.get(pair) == version or time.monotonic() >= expected.until:
                self._forget(pair, version)
                give_back_freed_memory()
            elif self._engine.state == "ready":
                try:
                    self._hold(pair, version)
                except VersionNotFound:  # it may be on its way here
                    self._expected.setdefault(pair, expected)
                except Exception as error:  # noqa: BLE001 - if it is promoted all the same, it is refused
                    log.warning("%s: version %s, which may be promoted, cannot be used: %s", pair, version, error)

    def _hold(self, pair: str, version: str) -> None:
        """Have this version loaded and tested, and no other; what cannot be used is not expected any more."""
        if pair in self._held and self._held[pair].version != version:
            del self._held[pair]
        try:
            self._held[pair] = self._loaded(pair, version)
        except BaseException:
            self._forget(pair, version)
            raise

    def _loaded(self, pair: str, version: str) -> _Held:
        """This version as it is now: what is held, or loaded here and tested."""
        held, written = self._held.get(pair), written_at(self._settings, pair, version)
        if held is not None and (held.version, held.written_at) == (version, written):
            return held
        return _Held(version, written, self._load(self._settings, pair, version))

    def _forget(self, pair: str, version: str) -> None:
        """Another that is expected by now stays so."""
        for kept in (self._expected, self._held):
            if (one := kept.get(pair)) is not None and one.version == version:
                kept.pop(pair, None)

    def _follow(self, pair: str) -> None:
        found = self._read(pair)
        is_first = pair not in self._seen
        if not is_first and _same(found, self._seen[pair]) and not self._was_mended(pair):
            return
        self._seen[pair] = found
        if is_first and found is None:  # nobody has ever promoted: what was loaded stays
            return
        version, written = None, 0
        try:
            if isinstance(found, VersionError):
                raise found
            version = pointers.parse(pointer_root(self._settings), pair, found).version if found else pointers.DEFAULT
            written = written_at(self._settings, pair, version)
            self._swap(pair, version)
        except ShuttingDown:
            return
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a version, the one before must go on
            self._refuse(pair, version, written, error)
        else:
            self.refused = {other: refusal for other, refusal in self.refused.items() if other != pair}

    def _was_mended(self, pair: str) -> bool:
        """Whether the version that was refused is another by now, such as a copy that was fetched anew."""
        refused = self.refused.get(pair)
        if refused is None or refused.version is None:
            return False
        return written_at(self._settings, pair, refused.version) != refused.written_at

    def _read(self, pair: str) -> bytes | VersionError | None:
        try:
            return pointers.read_bytes(pointer_root(self._settings), pair)
        except VersionError as error:
            return error

    def _swap(self, pair: str, version: str) -> None:
        if self._engine.versions.get(pair) == version:
            return
        try:
            self._engine.replace(self._loaded(pair, version).translator)
        finally:
            self._forget(pair, version)
        self._metrics.swaps.labels(pair).inc()

    def _refuse(self, pair: str, version: str | None, written: int, error: Exception) -> None:
        goes_on = self._engine.versions.get(pair, "none")
        expected = isinstance(error, ModelError | AppError)
        log.error(
            "%s: version %s is refused, %s goes on: %s", pair, version or "(unknown)", goes_on, error,
            exc_info=not expected,
        )  # fmt: skip
        self._metrics.refusals.labels(pair).inc()
        self.refused = {**self.refused, pair: Refusal(version, told(error), written)}


def _same(found: bytes | VersionError | None, seen: bytes | VersionError | None) -> bool:
    """Whether a pointer holds what it held, or still cannot be read for the same reason."""
    if isinstance(found, VersionError) and isinstance(seen, VersionError):
        return str(found) == str(seen)
    return found == seen

"""Follows the pointers: when one moves, the version that it names takes over, if it proves to be usable.

One thread a worker process looks twice a second. It loads and tests what a pointer names while the engine goes on
translating, and hands it over (`Engine.replace`). A version that cannot be used is refused: the one before goes on,
and nothing is tried again until the pointer is moved or renewed.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from app.engine.engine import Engine
from app.errors import AppError, ShuttingDown, told
from app.languages import PAIRS
from app.metrics import Metrics
from app.settings import Settings
from app.versions.store import load_tested, pointer_root
from model.errors import ModelError, VersionError
from model.versions import pointers

if TYPE_CHECKING:
    from model.translator import Translator

log = logging.getLogger("traghetto.engine")

LOOK_EVERY_S = 0.5
"""A promotion elsewhere is noticed after this time at most; then the version is loaded."""
STOP_TIMEOUT_S = 10.0


class Refusal(NamedTuple):
    """A version that is said to be current and does not serve."""

    version: str | None
    """None if the pointer itself is damaged."""
    reason: str
    """For clients."""


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
        self._turn = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="swapper", daemon=True)
        self.refused: Mapping[str, Refusal] = {}
        """By pair. Replaced as a whole, so that other threads may read it."""

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    async def stop(self) -> None:
        """End; waits for a version that is being loaded, within bounds."""
        self._stopping.set()
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
        while not self._stopping.wait(LOOK_EVERY_S):
            for pair in PAIRS:
                self.look(pair, LOOK_EVERY_S)

    def _follow(self, pair: str) -> None:
        found = self._read(pair)
        is_first = pair not in self._seen
        if not is_first and _same(found, self._seen[pair]):
            return
        self._seen[pair] = found
        if is_first and found is None:  # nobody has ever promoted: what was loaded stays
            return
        version = None
        try:
            if isinstance(found, VersionError):
                raise found
            version = pointers.parse(pointer_root(self._settings), pair, found).version if found else pointers.DEFAULT
            self._swap(pair, version)
        except ShuttingDown:
            return
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a version, the one before must go on
            self._refuse(pair, version, error)
        else:
            self.refused = {other: refusal for other, refusal in self.refused.items() if other != pair}

    def _read(self, pair: str) -> bytes | VersionError | None:
        try:
            return pointers.read_bytes(pointer_root(self._settings), pair)
        except VersionError as error:
            return error

    def _swap(self, pair: str, version: str) -> None:
        if self._engine.versions.get(pair) == version:
            return
        self._engine.replace(self._load(self._settings, pair, version))
        self._metrics.swaps.labels(pair).inc()

    def _refuse(self, pair: str, version: str | None, error: Exception) -> None:
        goes_on = self._engine.versions.get(pair, "none")
        expected = isinstance(error, ModelError | AppError)
        log.error(
            "%s: version %s is refused, %s goes on: %s", pair, version or "(unknown)", goes_on, error,
            exc_info=not expected,
        )  # fmt: skip
        self._metrics.refusals.labels(pair).inc()
        self.refused = {**self.refused, pair: Refusal(version, told(error))}


def _same(found: bytes | VersionError | None, seen: bytes | VersionError | None) -> bool:
    """Whether a pointer holds what it held, or still cannot be read for the same reason."""
    if isinstance(found, VersionError) and isinstance(seen, VersionError):
        return str(found) == str(seen)
    return found == seen

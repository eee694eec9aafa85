"""Timers that hardly ever go off: bounds of requests and connections, thousands of which begin and end each second.

uvloop has libuv begin and close a timer for each `call_later`, which took 15 microseconds on a busy core, and a request
has four such bounds on its way. Here each is an entry of a set that one timer looks through.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType

TICK_S = 0.05
"""How late a timer may go off."""


class Timer:
    """One that was begun by `Timers.call_later`."""

    __slots__ = ("_callback", "_timers", "when")

    def __init__(self, timers: Timers, when: float, callback: Callable[[], object]) -> None:
        self._timers, self.when = timers, when
        self._callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """It will not go off, even if its time is over and it is about to."""
        self._timers.waiting.discard(self)
        self._callback = None

    def go_off(self) -> None:
        """Call back, unless it was cancelled."""
        if self._callback is not None:
            self._callback()


class Timers:
    """All timers of one event loop; for use on that loop only."""

    def __init__(self) -> None:
        self.waiting: set[Timer] = set()
        self._is_ticking = False

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        """Call `callback` after `delay_s` seconds, or a tick later."""
        timer = Timer(self, time.monotonic() + delay_s, callback)
        self.waiting.add(timer)
        if not self._is_ticking:
            self._is_ticking = True
            asyncio.get_running_loop().call_later(TICK_S, self._tick)
        return timer

    def timeout(self, seconds: float) -> Timeout:
        """As `asyncio.timeout`, within a tick."""
        return Timeout(self, seconds)

    def _tick(self) -> None:
        loop, now = asyncio.get_running_loop(), time.monotonic()
        for timer in [timer for timer in self.waiting if timer.when <= now]:
            self.waiting.discard(timer)
            loop.call_soon(timer.go_off)
        self._is_ticking = bool(self.waiting)
        if self._is_ticking:
            loop.call_later(TICK_S, self._tick)


class Timeout:
    """Cancels the task within it when the time is over, and makes a `TimeoutError` of that."""

    __slots__ = ("_cancelling", "_is_over", "_seconds", "_task", "_timer", "_timers")

    def __init__(self, timers: Timers, seconds: float) -> None:
        self._timers, self._seconds, self._is_over = timers, seconds, False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a timeout needs a task")
        self._task, self._cancelling = task, task.cancelling()
        self._timer = self._timers.call_later(self._seconds, self._expire)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._is_over and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _expire(self) -> None:
        self._is_over = True
        self._task.cancel()

"""Tasks that run as long as the server does. One that fails is logged, told in `/health/ready`, and begun again.

A task of asyncio that raises is silent until somebody looks: nightly retraining would simply not happen any more.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

log = logging.getLogger("traghetto.background")

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""Before a failed task is begun again: doubled with each failure in a row."""
WELL_AFTER_S = 300.0
"""What has run for so long since it failed is well again."""

Task = Callable[[], Awaitable[None]]


@dataclass
class _Standing:
    """How a task does."""

    begun: float
    """On the monotonic clock; when it will be, while it waits."""
    failures: int = 0
    """In a row."""
    problem: str = ""


class Background:
    """Keeps tasks going. All of it belongs to one event loop."""

    def __init__(self, count: Callable[[str], None], first_wait_s: float = FIRST_WAIT_S) -> None:
        """`count` is called with the name of a task that has failed."""
        self._count = count
        self._first_wait_s = first_wait_s
        self._standings: dict[str, _Standing] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, tasks: dict[str, Task]) -> None:
        """Begin the tasks, by their names. One that returns has nothing to do, and is done."""
        for name, task in tasks.items():
            self._tasks.append(asyncio.create_task(self._keep(name, task), name=name))

    async def stop(self) -> None:
        """Cancel all, and wait until they have ended."""
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        for name, end in zip((task.get_name() for task in self._tasks), ends, strict=True):
            if isinstance(end, Exception):
                log.error("%s did not end well", name, exc_info=end)

    @property
    def problems(self) -> dict[str, str]:
        """What has failed lately, by name. Says the kind of error only: its text may be nobody's business."""
        now = time.monotonic()
        found = self._standings.items()
        return {name: one.problem for name, one in found if one.failures and now - one.begun < WELL_AFTER_S}

    async def _keep(self, name: str, task: Task) -> None:
        standing = self._standings[name] = _Standing(time.monotonic())
        while True:
            try:
                await task()
            except Exception as error:  # noqa: BLE001 - whatever it is: the task must go on
                wait_s = self._failed(name, standing, error)
            else:
                return
            await asyncio.sleep(wait_s)

    def _failed(self, name: str, standing: _Standing, error: Exception) -> float:
        """Tell it; seconds until the next try."""
        if time.monotonic() - standing.begun >= WELL_AFTER_S:
            standing.failures = 0
        standing.failures += 1
        wait_s = min(LONGEST_WAIT_S, self._first_wait_s * 2.0 ** min(standing.failures - 1, 16))
        standing.begun = time.monotonic() + wait_s
        standing.problem = f"failed {standing.failures} time(s) in a row, last with {type(error).__name__}"
        self._count(name)
        log.error("%s failed and is begun again in %.3g s", name, wait_s, exc_info=error)
        return wait_s

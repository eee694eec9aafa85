"""Waiting for what happens in its own time: never for a fixed time, and never without an end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

PATIENCE_S = 20.0
"""For what should take a moment, on a machine that does much else."""
LOOK_EVERY_S = 0.005


async def begun() -> None:
    """Let tasks that were just made run up to where they wait for something."""
    await asyncio.sleep(0)


async def eventually(check: Callable[[], object], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Wait until `check()`, or what it gives to await, is true; `what` says what was missing in the end."""
    ends = time.monotonic() + timeout_s
    while not await _result(check()):
        assert time.monotonic() < ends, f"not within {timeout_s} s: {what}"
        await asyncio.sleep(LOOK_EVERY_S)


async def _result(found: object) -> object:
    return await found if isinstance(found, Awaitable) else found


def wait_until(check: Callable[[], object], what: str, timeout_s: float = PATIENCE_S) -> None:
    """`eventually` where there is no event loop."""
    ends = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < ends, f"not within {timeout_s} s: {what}"
        time.sleep(LOOK_EVERY_S)

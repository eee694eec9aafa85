"""Timers that share one timer of the loop: each goes off in time, once, unless it was cancelled."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from patience import eventually

from app.timers import TICK_S, Timers

FOREVER_S = 60.0


async def test_timers_go_off_in_their_order_and_cancelled_ones_never() -> None:
    timers, gone = Timers(), []
    timers.call_later(4 * TICK_S, lambda: gone.append("late"))
    timers.call_later(0.0, lambda: gone.append("soon"))
    timers.call_later(TICK_S, lambda: gone.append("cancelled")).cancel()
    await eventually(lambda: len(gone) == 2, "both timers go off")
    assert gone == ["soon", "late"]
    assert not timers.waiting
    timers.call_later(0.0, lambda: gone.append("again"))
    await eventually(lambda: len(gone) == 3, "it ticks again after a pause")


async def test_one_that_is_cancelled_when_its_time_is_over_does_not_go_off() -> None:
    """What ends in the same turn of the loop as its bound has ended in time; its next wait is not cancelled for it."""
    timers, gone = Timers(), []

    def go_off(other: int) -> None:
        gone.append(other)
        both[other].cancel()

    both = [timers.call_later(0.0, partial(go_off, other)) for other in (1, 0)]
    await eventually(lambda: gone, "one of the two goes off")
    await asyncio.sleep(2 * TICK_S)
    assert len(gone) == 1


async def test_one_that_fails_does_not_stop_the_others() -> None:
    timers, gone, told = Timers(), [], []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context["exception"]))
    timers.call_later(0.0, lambda: gone.append(1 / 0))
    for number in range(3):
        timers.call_later(number * TICK_S, lambda: gone.append("on"))
    await eventually(lambda: len(gone) == 3, "the others go off")
    assert [type(error) for error in told] == [ZeroDivisionError]


async def test_a_timeout_ends_what_takes_too_long() -> None:
    timers = Timers()
    with pytest.raises(TimeoutError):
        async with timers.timeout(0.0):
            await asyncio.sleep(FOREVER_S)
    async with timers.timeout(FOREVER_S):
        await asyncio.sleep(0)
    assert not timers.waiting, "a timeout that was not needed must not be kept"


async def test_a_timeout_lets_errors_and_cancellation_from_outside_through() -> None:
    timers = Timers()
    with pytest.raises(KeyError):
        async with timers.timeout(FOREVER_S):
            raise KeyError

    async def wait() -> None:
        async with timers.timeout(FOREVER_S):
            await asyncio.sleep(FOREVER_S)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not timers.waiting


async def test_both_at_once_is_a_cancellation() -> None:
    """Who cancels a task from outside must not be told of a timeout in its place."""
    timers = Timers()

    async def wait() -> None:
        async with timers.timeout(0.0):
            try:
                await asyncio.sleep(FOREVER_S)
            finally:
                task.cancel()

    task = asyncio.create_task(wait())
    with pytest.raises(asyncio.CancelledError):
        await task

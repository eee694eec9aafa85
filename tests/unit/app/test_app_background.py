"""Tasks that run all the time: a failure is seen, counted, and not the end of the task."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from app.background import Background

SECRET = "/srv/secret/card.json"


def failing(times: int, then: asyncio.Event) -> Callable[[], Awaitable[None]]:
    """A task that fails so often, then sets `then` and goes on."""
    left = times

    async def task() -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise ValueError(f"no date in {SECRET}")
        then.set()
        await asyncio.Event().wait()

    return task


async def test_what_fails_is_logged_counted_told_and_begun_again(caplog: pytest.LogCaptureFixture) -> None:
    counted: list[str] = []
    again, undisturbed = asyncio.Event(), asyncio.Event()
    background = Background(counted.append, first_wait_s=0.001)
    background.start({"odd": failing(3, again), "other": failing(0, undisturbed)})
    async with asyncio.timeout(10):
        await again.wait()
        await undisturbed.wait()
    assert counted == ["odd"] * 3
    assert background.problems == {"odd": "failed 3 time(s) in a row, last with ValueError"}
    assert f"ValueError: no date in {SECRET}" in caplog.text, "the log has the traceback"
    await background.stop()


async def test_waits_grow_to_a_bound(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.background.LONGEST_WAIT_S", 0.004)
    again = asyncio.Event()
    background = Background(lambda _name: None, first_wait_s=0.001)
    background.start({"odd": failing(5, again)})
    async with asyncio.timeout(10):
        await again.wait()
    waits = [record.getMessage().split()[-2] for record in caplog.records]
    assert waits == ["0.001", "0.002", "0.004", "0.004", "0.004"]
    await background.stop()


async def test_what_has_run_well_for_long_enough_is_not_told_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    again = asyncio.Event()
    background = Background(lambda _name: None, first_wait_s=0.001)
    background.start({"odd": failing(1, again)})
    async with asyncio.timeout(10):
        await again.wait()
    assert background.problems
    monkeypatch.setattr("app.background.WELL_AFTER_S", 0.0)
    async with asyncio.timeout(10):
        while background.problems:  # noqa: ASYNC110 - the clock must pass the moment of the last try
            await asyncio.sleep(0.001)
    await background.stop()


async def test_a_task_that_returns_is_done_and_stopping_waits_for_all() -> None:
    ended: list[str] = []

    async def short() -> None:
        ended.append("short")

    async def long() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("long")

    background = Background(ended.append)
    background.start({"short": short, "long": long})
    await asyncio.sleep(0)
    await background.stop()
    assert ended == ["short", "long"]
    assert background.problems == {}

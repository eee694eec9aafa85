"""The thread that prepares texts: every job answered, errors handed back, one wake-up for many."""

from __future__ import annotations

import asyncio
import threading

import pytest
from patience import begun

from app.engine.worker import Worker


def halve(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2


async def test_every_job_gets_its_own_answer_off_the_loop() -> None:
    threads = set()

    def work(number: int) -> int:
        threads.add(threading.current_thread().name)
        return halve(number)

    worker = Worker("halver", work)
    worker.start()
    assert await asyncio.gather(*(worker.run(2 * number) for number in range(200))) == list(range(200))
    worker.stop()
    assert threads == {"halver"}


async def test_an_error_goes_to_its_caller_only() -> None:
    worker = Worker("halver", halve)
    worker.start()
    results = await asyncio.gather(*(worker.run(number) for number in range(4)), return_exceptions=True)
    worker.stop()
    assert (results[0], results[2]) == (0, 1)
    assert [str(result) for result in (results[1], results[3])] == ["1 is odd", "3 is odd"]


async def test_a_first_step_that_fails_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker("halver", halve, lambda: halve(1) and None)
    worker.start()
    assert await worker.run(4) == 2
    worker.stop()
    assert "the first step failed" in caplog.text


async def test_jobs_of_callers_that_left_are_skipped() -> None:
    done: list[int] = []
    entered, free = threading.Event(), threading.Event()

    def work(number: int) -> None:
        entered.set()
        free.wait(20)
        done.append(number)

    worker = Worker("slow", work)
    worker.start()
    first = asyncio.create_task(worker.run(1))
    assert await asyncio.to_thread(entered.wait, 20)
    gone, stays = asyncio.create_task(worker.run(2)), asyncio.create_task(worker.run(3))
    await begun()
    gone.cancel()
    await begun()
    free.set()
    await asyncio.gather(first, stays)
    worker.stop()
    assert done == [1, 3]


async def test_it_must_be_started() -> None:
    with pytest.raises(RuntimeError, match="not started"):
        await Worker("idle", halve).run(2)

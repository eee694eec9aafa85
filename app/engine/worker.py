"""One thread that does short pieces of work for the event loop, many for each wake-up.

A thread pool of the standard library costs two futures and one wake-up of the loop for each piece; here the thread
takes all that waits, and the loop is woken once for all answers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Job = TypeVar("Job")
Answer = TypeVar("Answer")

log = logging.getLogger("traghetto.engine")

NICENESS = 5
"""By how much a thread that gives way is nicer than others."""
MAX_AT_ONCE = 32
"""Answers are handed back at least this often, so that the first does not wait for a long row of others."""


class Worker(Generic[Job, Answer]):
    """Calls `work` on what `run` is given, one after the other, in a thread of its own."""

    def __init__(self, name: str, work: Callable[[Job], Answer], first: Callable[[], None] | None = None) -> None:
        self._name = name
        self._work = work
        self._first = first
        self._jobs: SimpleQueue[tuple[Job, asyncio.Future[Answer]] | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin; call it on the event loop."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._serve, name=self._name, daemon=True).start()

    def stop(self) -> None:
        """End after what was given so far."""
        self._jobs.put(None)

    async def run(self, job: Job) -> Answer:
        """`work(job)`, computed in the thread. What `work` raises is raised here."""
        if self._loop is None:
            raise RuntimeError(f"worker {self._name} was not started")
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._jobs.put((job, future))
        return await future

    def _serve(self) -> None:
        if self._first is not None:
            self._begin(self._first)
        stopping = False
        while not stopping:
            jobs, stopping = self._take()
            answers = [self._answer(job, future) for job, future in jobs if not future.cancelled()]
            try:
                self._loop.call_soon_threadsafe(settle_all, answers)  # type: ignore[union-attr]
            except RuntimeError:  # the loop is closed: nobody waits
                return

    def _begin(self, first: Callable[[], None]) -> None:
        """What is done once before the work; if it fails, so will the work, and its callers are told."""
        try:
            first()
        except Exception:
            log.exception("%s: the first step failed", self._name)

    def _take(self) -> tuple[list[tuple[Job, asyncio.Future[Answer]]], bool]:
        """All that waits, at least one; and whether the thread shall end."""
        taken = []
        item = self._jobs.get()
        while item is not None:
            taken.append(item)
            if len(taken) == MAX_AT_ONCE:
                return taken, False
            try:
                item = self._jobs.get_nowait()
            except Empty:
                return taken, False
        return taken, True

    def _answer(self, job: Job, future: asyncio.Future[Answer]) -> tuple[asyncio.Future[Answer], Answer | Exception]:
        try:
            return future, self._work(job)
        except Exception as error:  # noqa: BLE001 - handed to the caller
            return future, error


def give_way() -> None:
    """Let other threads go before the calling one, of which there is much to do, where they differ in that (Linux).

    Else a short request would wait for a core at each of its steps: for the loop, the interpreter, the decoder.
    """
    if sys.platform == "linux":
        usual = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), usual + NICENESS)


def settle_all(answers: Sequence[tuple[asyncio.Future[Answer], Answer | Exception]]) -> None:
    """Give each future its answer; on the event loop."""
    for future, answer in answers:
        settle(future, answer)


def settle(future: asyncio.Future[Answer], answer: Answer | Exception) -> None:
    """Give `answer` to a future, unless its caller has gone."""
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)

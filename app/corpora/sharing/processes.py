"""Processes of this machine that do pieces of work in any order; one that dies is replaced, and its piece done again.

They are forked, so that they share the memory of what is loaded; see `app.commands.streams.workers`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from app.corpora.sharing.child import send, work_off
from app.errors import AppError

Piece = TypeVar("Piece")
Made = TypeVar("Made")
TRIES = 3
"""A piece whose process died so often is taken for what kills it."""


def in_processes(
    work: Callable[[Piece], Made], pieces: Sequence[Piece], processes: int, name: Callable[[Piece], str] = str
) -> Iterator[tuple[int, Made]]:
    """`work(piece)` for each of `pieces`, as soon as each is done, with its index.

    Raises:
        AppError: the process that did a piece died, and so did those that tried again; names it.
        Exception: whatever `work` raised.
    """
    pool = _Pool(work, min(processes, len(pieces)))
    left, tries = deque(range(len(pieces))), Counter[int]()
    try:
        while left or pool.is_busy:
            pool.hand_out(left, pieces)
            for index, made in pool.results():
                if isinstance(made, Exception):
                    raise made
                if made is not None:
                    yield index, made
                    continue
                tries[index] += 1
                if tries[index] == TRIES:
                    about = f"the process that translates was ended {TRIES} times; was there enough memory?"
                    raise AppError(f"{name(pieces[index])}: {about}")
                left.appendleft(index)
    finally:
        pool.end()


class _Pool:
    """Forked processes, and which piece each is doing."""

    def __init__(self, work: Callable[..., object], count: int) -> None:
        self._work = work
        self._workers: dict[Connection, BaseProcess] = {}
        self._doing: dict[Connection, int] = {}
        for _ in range(count):
            self._start()

    @property
    def is_busy(self) -> bool:
        """Whether any piece is being done."""
        return bool(self._doing)

    def hand_out(self, left: deque[int], pieces: Sequence[object]) -> None:
        """Give each process that has nothing to do one of the pieces that are left."""
        for end in [end for end in self._workers if end not in self._doing][: len(left)]:
            index = left.popleft()
            self._doing[end] = index
            with contextlib.suppress(OSError):  # it died; `results` sees it too
                send(end, pieces[index])

    def results(self) -> list[tuple[int, Any]]:
        """Wait for one or several: what was made, or what was raised, or None where the process died."""
        found: list[tuple[int, Any]] = []
        for end in wait(list(self._doing)):
            assert isinstance(end, Connection)
            index = self._doing.pop(end)
            try:
                found.append((index, end.recv()))
            except (EOFError, OSError):
                found.append((index, None))
                self._stop(end)
                self._start()
        return found

    def end(self) -> None:
        """Stop all."""
        for end in list(self._workers):
            self._stop(end)

    def _start(self) -> None:
        fork = multiprocessing.get_context("fork")
        ours, theirs = fork.Pipe()
        ends = [*self._workers, ours]
        worker = fork.Process(target=work_off, args=(self._work, theirs, ends), daemon=True)
        worker.start()
        theirs.close()
        self._workers[ours] = worker

    def _stop(self, end: Connection) -> None:
        worker = self._workers.pop(end)
        end.close()
        worker.terminate()
        worker.join()

"""Several processes that work on the pieces of a long input at once, and give what they made in its order.

    pieces -> a thread hands them out in turn -> process 1 | process 2 | ... -> results, taken in the same turn

Python runs one thread at a time, and where decoding is fast half of the work on a sentence is Python. The processes are
forked, so that they share the memory of all that is loaded. That is safe where no other thread holds a lock that they
need: the bar's holds none such; those of PyTorch do.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle
from multiprocessing.connection import Connection
from typing import TypeVar

from app.corpora.sharing.child import send, work_off
from app.errors import AppError

Piece = TypeVar("Piece")
Made = TypeVar("Made")


def in_order(work: Callable[[Piece], Made], pieces: Iterable[Piece], processes: int) -> Iterator[Made]:
    """`work(piece)` for each of `pieces`, in their order, each as soon as it is there.

    With one process, all is done in this one, and no piece is read before the result of the last was taken. With more,
    a few pieces for each are read ahead: as many as a pipe holds.

    Raises:
        AppError: a process was ended from outside.
        Exception: whatever `work` or reading raised, after all results before it.
    """
    return map(work, pieces) if processes == 1 else _in_order(work, pieces, processes)


def _in_order(work: Callable[[Piece], Made], pieces: Iterable[Piece], processes: int) -> Iterator[Made]:
    fork = multiprocessing.get_context("fork")
    ends: list[Connection] = []
    workers = []
    for _ in range(processes):
        ours, theirs = fork.Pipe()
        ends.append(ours)
        workers.append(fork.Process(target=work_off, args=(work, theirs, ends), daemon=True))
        workers[-1].start()
        theirs.close()
    try:
        threading.Thread(target=_hand_out, args=(pieces, ends), name="reader", daemon=True).start()
        for end in cycle(ends):
            made = _taken(end)
            if made is None:
                return
            yield made
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _taken(end: Connection) -> Made | None:
    """The next result of the process at `end`; None after the last piece."""
    try:
        made: Made | None = end.recv()
    except (EOFError, ConnectionError):
        raise AppError("a process that translates was ended from outside; was there enough memory?") from None
    if isinstance(made, Exception):
        raise made
    return made


def _hand_out(pieces: Iterable[Piece], ends: Sequence[Connection]) -> None:
    with contextlib.suppress(OSError):  # a process has ended; who waits for its result will see it
        for end, piece in zip(cycle(ends), _to_the_end(pieces), strict=False):
            send(end, piece)


def _to_the_end(pieces: Iterable[Piece]) -> Iterator[Piece | Exception | None]:
    """`pieces`, then what ended them: an error of reading, or None."""
    try:
        yield from pieces
    except Exception as error:  # noqa: BLE001 - it is raised where results are taken
        yield error
    yield None

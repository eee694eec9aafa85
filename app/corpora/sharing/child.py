"""What a forked process does: pieces of work come through a pipe, and what it made of each goes back."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from app.errors import AppError


def work_off(work: Callable[[Any], Any], end: Connection, parents_ends: Sequence[Connection]) -> None:
    """Do what comes until the process that started this one closes its end, or is no more.

    None, and errors, are handed back as they are.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal; the parent decides
    for other in parents_ends:
        other.close()
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            piece = end.recv()
            send(end, piece if piece is None or isinstance(piece, Exception) else _tried(work, piece))
    os._exit(0)  # without a last look at stderr, on which the bar may have been drawing when this was forked


def send(end: Connection, item: object) -> None:
    """Send `item`, or the text of an error that cannot be sent.

    Raises:
        OSError: nobody is at the other end.
    """
    try:
        end.send(item)
    except OSError:
        raise
    except Exception:
        if not isinstance(item, Exception):
            raise
        end.send(AppError(f"{type(item).__name__}: {item}"))


def _tried(work: Callable[[Any], Any], piece: Any) -> Any:
    try:
        return work(piece)
    except Exception as error:  # noqa: BLE001 - it is raised where results are taken
        return error

"""The bar that shows how far a long translation is: lines, their rate, the time left."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from app.commands.options import STDERR
from app.commands.streams.files import Files


class Advance(Protocol):
    """Told after each piece of work."""

    def __call__(self, count: int, position: int) -> None:
        """`count` more lines or sentences are done, and `position` of the whole input."""


def nobody(count: int, position: int) -> None:
    """An `Advance` that nobody looks at."""


def progress(
    files: Files, kind: str, total: int | None, begun: tuple[int, int] = (0, 0)
) -> AbstractContextManager[Advance]:
    """A bar on stderr, if that is a terminal which shows neither what comes in nor what goes out.

    It counts things of a `kind` in an input of size `total`, if that is known. `begun`: how many were done before, and
    how much of the input.
    """
    return nullcontext(nobody) if files.on_terminal else bar(kind, total, begun)


def bar(kind: str, total: int | None, begun: tuple[int, int] = (0, 0)) -> AbstractContextManager[Advance]:
    """The same where neither is on a terminal."""
    return _bar(kind, total, begun) if os.isatty(STDERR) else nullcontext(nobody)


@contextmanager
def _bar(kind: str, total: int | None, begun: tuple[int, int]) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    before, completed = begun
    counts = "{task.fields[count]:,} " + kind + ", {task.fields[rate]:,.0f}/s"
    columns = (TextColumn(counts), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("left"),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False) as shown:
        task = shown.add_task("translate", total=total, completed=completed, count=before, rate=0.0)
        now, start = 0, time.monotonic()

        def advance(count: int, position: int) -> None:
            nonlocal now
            now += count
            shown.update(task, completed=position, count=before + now, rate=now / max(time.monotonic() - start, 1e-3))

        yield advance

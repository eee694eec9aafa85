"""`in_order`: several processes, results in the order of the pieces, and every way in which that can end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import PATIENCE_S, wait_until

from app.commands.streams.workers import in_order
from app.errors import AppError
from model.errors import SearchError

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def unhurried(number: int) -> int:
    """Twice `number`, after a while that depends on it."""
    time.sleep(random.Random(number).choice((0.0, 0.0, 0.002)))
    return 2 * number


@pytest.mark.parametrize("processes", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 4, 5, 200])
def test_results_come_in_order(processes: int, count: int) -> None:
    assert list(in_order(unhurried, range(count), processes)) == [2 * number for number in range(count)]


def test_the_work_is_shared() -> None:
    found = list(in_order(lambda number: os.getpid(), range(20), 2))
    assert len(set(found)) == 2
    assert os.getpid() not in found


def test_results_are_not_kept_back_until_more_is_read() -> None:
    """The second piece exists only once the first was answered."""
    answered = threading.Event()

    def pieces() -> Iterator[int]:
        yield 1
        assert answered.wait(PATIENCE_S), "the answer to the first piece waits for the second"
        yield 2

    found = []
    for result in in_order(unhurried, pieces(), 2):
        found.append(result)
        answered.set()
    assert found == [2, 4]


def test_reading_ahead_is_bounded() -> None:
    read = 0

    def pieces() -> Iterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 1
            yield bytes(1 << 16)

    results = in_order(bytes, pieces(), 2)
    next(results)
    time.sleep(0.1)
    assert read < 40, "pipes hold a few pieces each"
    assert sum(1 for _ in results) == 999


@pytest.mark.parametrize("processes", [1, 3])
def test_an_error_comes_after_what_was_done_before_it(processes: int) -> None:
    def work(number: int) -> int:
        if number == 7:
            raise SearchError("there is not enough memory for this batch", "seven")
        return number

    found = []
    with pytest.raises(SearchError, match="seven: there is not enough memory") as raised:
        found.extend(in_order(work, range(20), processes))
    assert raised.value.place == "seven"


@pytest.mark.parametrize("processes", [1, 3])
def test_so_does_an_error_of_reading(processes: int) -> None:
    def pieces() -> Iterator[int]:
        yield from range(5)
        raise OSError(5, "Input/output error", "lines.it")

    found = []
    with pytest.raises(OSError, match=r"lines\.it"):
        for result in in_order(unhurried, pieces(), processes):
            found.append(result)
    assert found == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("where", ["working", "reading"])
def test_an_error_that_cannot_be_sent_is_told_all_the_same(where: str) -> None:
    class Local(Exception):
        """No other process can find this class."""

    def work(number: int) -> int:
        if where == "working":
            raise Local("for a reason")
        return number

    def pieces() -> Iterator[int]:
        yield 1
        if where == "reading":
            raise Local("for a reason")

    with pytest.raises(AppError, match="Local: for a reason"):
        list(in_order(work, pieces(), 2))


def test_a_process_that_is_killed_is_an_error() -> None:
    def work(number: int) -> int:
        if number == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getpid()

    with pytest.raises(AppError, match="ended from outside"):
        list(in_order(work, range(1000), 2))


def test_processes_end_with_whoever_takes_their_results() -> None:
    results = in_order(lambda number: os.getpid(), iter(range(1_000_000)), 2)
    pids = {next(results), next(results)}
    results.close()  # type: ignore[attr-defined]
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_processes_end_when_the_one_that_started_them_is_killed() -> None:
    program = "; ".join((
        "import itertools, os",
        "from app.commands.streams.workers import in_order",
        "[print(pid, flush=True) for pid in in_order(lambda number: os.getpid(), itertools.count(), 2)]",
    ))  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = {int(parent.stdout.readline()) for _ in range(2)}
        parent.kill()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "the processes end too")

"""Processes that die: each piece is done, and what kills every process that does it is named."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from app.corpora.sharing.processes import TRIES, in_processes
from app.errors import AppError

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.mark.parametrize("processes", [1, 3])
def test_each_piece_is_done_once(processes: int) -> None:
    found = sorted(in_processes(lambda number: (2 * number, os.getpid()), range(40), processes))
    assert [(index, made) for index, (made, _) in found] == [(number, 2 * number) for number in range(40)]
    assert len({pid for _, (_, pid) in found}) <= processes


def test_a_process_that_dies_is_replaced_and_its_piece_done_again(tmp_path: Path) -> None:
    def work(number: int) -> int:
        mark = tmp_path / str(number)
        if number % 5 == 0 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    assert sorted(in_processes(work, range(23), 2)) == [(number, number) for number in range(23)]


def test_a_piece_that_kills_is_named_after_a_few_tries(tmp_path: Path) -> None:
    def work(number: int) -> int:
        if number == 3:
            with (tmp_path / "tries").open("a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with pytest.raises(AppError, match=f"piece 3: the process that translates was ended {TRIES} times"):
        list(in_processes(work, range(9), 2, lambda number: f"piece {number}"))
    assert (tmp_path / "tries").read_text() == "x" * TRIES


def test_an_error_is_raised_and_leaves_no_process() -> None:
    def work(number: int) -> int:
        if number == 2:
            raise AppError("line 3 is bad")
        time.sleep(0 if number < 3 else 60)
        return number

    begun = time.monotonic()
    with pytest.raises(AppError, match="line 3 is bad"):
        list(in_processes(work, range(9), 2))
    assert time.monotonic() - begun < 30

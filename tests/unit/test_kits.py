"""What other tests rely on: waiting that ends, commands in this process, and what is said of coverage."""

from __future__ import annotations

import os
import sys

import covered
import pytest
from cli_kit import as_program, in_process
from patience import eventually, wait_until


async def test_waiting_ends_when_it_is_so_and_says_what_was_missing() -> None:
    tries = iter([False, False, True])

    async def third() -> bool:
        return next(tries)

    await eventually(third, "the third time")
    with pytest.raises(AssertionError, match=r"not within 0\.01 s: the moon"):
        await eventually(lambda: False, "the moon", timeout_s=0.01)
    with pytest.raises(AssertionError, match="the moon"):
        wait_until(lambda: False, "the moon", timeout_s=0.01)


@pytest.mark.parametrize(
    "arguments", [("--version",), ("models", "list", "--json"), ("models", "show", "it-en", "none")]
)
def test_a_command_says_the_same_here_and_as_the_program(arguments: tuple[str, ...]) -> None:
    before = list(sys.argv), dict(os.environ)
    here = in_process(*arguments, TRAGHETTO_DATA_DIR="/nowhere")
    assert here == as_program(*arguments, TRAGHETTO_DATA_DIR="/nowhere")
    assert (list(sys.argv), dict(os.environ)) == before


def test_coverage_names_what_is_low_and_the_total() -> None:
    files = {name: {"summary": {"percent_covered": share}} for name, share in (("a.py", 79.9), ("b.py", 80.0))}
    totals = {"percent_covered": 79.96, "covered_lines": 1999, "num_statements": 2500}
    assert covered.summary({"files": files, "totals": totals}) == [
        " 79.9 %  a.py",
        " 80.0 %  1999 of 2500 statements in 2 files",
    ]

"""What a run tells of itself: enough to follow it, and not a line for every step."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from training.run.milestones import GATING, READING, TRAINING, Milestones
from training.run.progress import Stages


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def steps_of(seconds: float) -> Iterator[float]:
    """A clock that goes on by so many seconds whenever it is read."""
    now = 0.0
    while True:
        yield now
        now += seconds


def test_each_stage_is_told_from_its_begin_to_its_end(tmp_path: Path) -> None:
    clock = steps_of(1.0)
    told = Milestones(tmp_path / "run.jsonl", lambda: next(clock))
    with Stages(Console(file=io.StringIO()), told) as stages:
        stages.begin(READING, "reading")
        stages.begin(TRAINING, "training on 7 corrections", 2, 7)
        stages.advance()
        stages.advance()
        stages.begin(GATING, "gate, 70% of the new weights", 3, 70.0)
    found = [(one["stage"], one.get("number"), one["done"], one["total"]) for one in lines(tmp_path / "run.jsonl")]
    assert found == [
        ("reading", None, 0, 1), ("reading", None, 1, 1),
        ("training", 7, 0, 2), ("training", 7, 1, 2), ("training", 7, 2, 2),
        ("gating", 70.0, 0, 3),
    ]  # fmt: skip
    seconds = [one["seconds"] for one in lines(tmp_path / "run.jsonl")]
    assert seconds == sorted(seconds) and seconds[-1] > 0


@pytest.mark.parametrize(("a_step_s", "most"), [(10.0, 110), (0.001, 60)])
def test_a_stage_of_many_steps_is_told_in_few_lines(tmp_path: Path, a_step_s: float, most: int) -> None:
    clock = steps_of(a_step_s)
    told = Milestones(tmp_path / "run.jsonl", lambda: next(clock))
    told.begin(TRAINING, 10_000)
    for _ in range(10_000):
        told.advance()
    found = lines(tmp_path / "run.jsonl")
    assert len(found) <= most
    assert found[-1]["done"] == 10_000, "the end of a stage is always told"


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    told = Milestones(tmp_path / "missing" / "run.jsonl")
    told.begin(TRAINING, 2)
    told.advance()
    told.advance()
    assert len(caplog.records) == 1, "once is enough"

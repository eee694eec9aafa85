"""The story, on the shipped model and a real server: correct, approve, remember, retrain, promote."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.demo_loop import PAIR, choose, demonstrate
from training.adapting.replay import SAMPLE
from training.scoring.sets import CHALLENGE, GENERAL, SETS

CORRECTIONS = 3
"""Of one term, which two more sentences have. Each is held out once: five cost twice as much."""
EVERY = 6
"""Of the shipped sets, the gate looks at every so many sentences."""
SHORT_CHARS = 40
"""Replayed are the pairs of the shipped sample that are no longer than that on either side."""


def part_of_the_sets(folder: Path) -> Path:
    """Sets as their users may have, with rows of those that ship."""
    kept = folder / PAIR
    kept.mkdir(parents=True)
    for name in (GENERAL, CHALLENGE):
        rows = _rows(f"{name}.tsv")
        (kept / f"{name}.tsv").write_text("".join(rows[::EVERY]), encoding="utf-8")
    short = [row for row in _rows(SAMPLE) if all(len(side) <= SHORT_CHARS for side in row.split("\t")[:2])]
    (kept / SAMPLE).write_text("".join(short), encoding="utf-8")
    return folder


def _rows(name: str) -> list[str]:
    lines = (SETS / PAIR / name).read_text(encoding="utf-8").splitlines(keepends=True)
    return [line for line in lines if not line.startswith("#")]


@pytest.mark.long
@pytest.mark.weights
@pytest.mark.timeout(900)
def test_corrections_act_at_once_and_then_by_the_model_itself(tmp_path: Path) -> None:
    """The gate is kept wide, for what it lets pass by tenths of a point differs from processor to processor."""
    sets = part_of_the_sets(tmp_path / "sets")
    options = ("--margin", "5", "--floor", "8", "--sets", str(sets), "--processes", "1")
    found = demonstrate(tmp_path / "data", choose(CORRECTIONS, seed=1), options)
    assert found["state"] == "promoted"
    assert found["from_memory"] == CORRECTIONS, "an approved correction must answer the next request"
    before, after = found["corrected"]["right"]
    assert before == 0 and after >= CORRECTIONS - 1, "the model itself must have learnt them, memory off"
    before_bleu, after_bleu = found["similar"]["bleu"]
    assert after_bleu > before_bleu, "sentences with the same terms, which nobody corrected, must get better"

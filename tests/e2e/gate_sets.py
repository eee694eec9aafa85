"""Sets for the gate as their users may have, with rows of those that ship: what a retraining in a test has time for."""

from __future__ import annotations

import random
from pathlib import Path

from training.adapting.replay import SAMPLE
from training.data.ordinary import ordinary_tables
from training.scoring.sets import CHALLENGE, GENERAL, SETS, read_table

EVERY = 6
"""Of the shipped sets, the gate looks at every so many sentences."""
SHORT_CHARS = 40
"""Replayed are pairs of our own tables that are no longer than that on either side."""
REPLAYED = 1500
WIDE = ("--margin", "5", "--floor", "8")
"""What the gate lets pass by tenths of a point differs from processor to processor."""


def gate_options(folder: Path, pair: str) -> tuple[str, ...]:
    """Options of `traghetto retrain` for a gate that is wide and looks at part of the sets, which are put into
    `folder`."""
    kept = folder / pair
    kept.mkdir(parents=True)
    for name in (GENERAL, CHALLENGE):
        rows = _rows(pair, f"{name}.tsv")
        (kept / f"{name}.tsv").write_text("".join(rows[::EVERY]), encoding="utf-8")
    pairs = [one for path in ordinary_tables().values() for one in read_table(path, pair)]
    short = [f"{source}\t{target}\n" for source, target in pairs if max(len(source), len(target)) <= SHORT_CHARS]
    (kept / SAMPLE).write_text("".join(random.Random(1).sample(short, REPLAYED)), encoding="utf-8")
    return (*WIDE, "--sets", str(folder), "--processes", "1")


def _rows(pair: str, name: str) -> list[str]:
    lines = (SETS / pair / name).read_text(encoding="utf-8").splitlines(keepends=True)
    return [line for line in lines if not line.startswith("#")]

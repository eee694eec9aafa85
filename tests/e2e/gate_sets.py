"""Sets for the gate as their users may have, with rows of those that ship: what a retraining in a test has time for."""

from __future__ import annotations

from pathlib import Path

from model.versions.card import Card
from training.adapting.replay import SAMPLE, find_replay
from training.scoring.sets import CHALLENGE, GENERAL, SETS

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
    replayed = find_replay(
        Card(pair=pair, version="default", created="2026-11-29T00:00:00+00:00", files={}), None, None, seed=1
    ).pairs
    short = [row for row in replayed if all(len(side) <= SHORT_CHARS for side in row)][:REPLAYED]
    (kept / SAMPLE).write_text("".join(f"{source}\t{target}\n" for source, target in short), encoding="utf-8")
    return (*WIDE, "--sets", str(folder), "--processes", "1")


def _rows(pair: str, name: str) -> list[str]:
    lines = (SETS / pair / name).read_text(encoding="utf-8").splitlines(keepends=True)
    return [line for line in lines if not line.startswith("#")]

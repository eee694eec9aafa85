"""The file of figures: one run for each kind of processor, the newest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks.results.figures import Figure

FOLDER = Path(__file__).parents[2] / "docs" / "results"
FILE = "benchmarks.json"


@dataclass(frozen=True)
class Run:
    """What was measured in one go."""

    machine: dict[str, Any]
    """See `benchmarks.results.machine`."""
    kernels: str
    """What decoded ours."""
    seed: int
    """Of the lines and of random weights."""
    rounds: int
    seconds: float
    """Of one measurement, where that can be chosen."""
    figures: list[Figure]


def read(path: Path) -> dict[str, Run]:
    """Kind of processor -> its run; empty if there is no such file."""
    if not path.exists():
        return {}
    runs = json.loads(path.read_text(encoding="utf-8"))
    return {
        kind: Run(**{**run, "figures": [Figure.from_dict(figure) for figure in run["figures"]]})
        for kind, run in runs.items()
    }


def write(path: Path, runs: Mapping[str, Run]) -> None:
    """Write all `runs`; a figure a line, so that a change shows what changed."""
    parts = []
    for kind, run in sorted(runs.items()):
        head = {field.name: getattr(run, field.name) for field in fields(run) if field.name != "figures"}
        rows = ",\n".join(f"   {json.dumps(figure.to_dict(), ensure_ascii=False)}" for figure in run.figures)
        parts.append(f' {json.dumps(kind)}: {json.dumps(head, ensure_ascii=False)[:-1]}, "figures": [\n{rows}\n ]}}')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")

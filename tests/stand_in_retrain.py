"""`traghetto retrain` with a stand-in for the trainer, as a program: what a server begins in tests.

    python tests/stand_in_retrain.py FOLDER --pair it-en --id ID [--dry-run]

All is real but the training: the candidate is a copy of its parent. FOLDER says what happens: the run goes on when
there is a file `go` in it, and the file `verdict` holds `passes` (as without it), `refused` or `fails`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

PATIENCE_S = 120.0
GO, VERDICT, PASSES, REFUSED, FAILS = "go", "verdict", "passes", "refused", "fails"


def command(folder: Path) -> tuple[str, ...]:
    """What a server is given to begin a retraining with."""
    return (sys.executable, str(Path(__file__).resolve()), str(folder))


def train(folder: Path, control: Path) -> dict[str, Any]:
    """A candidate in `folder`, and a report on it that shows what the pages must show."""
    from model.versions import store
    from training.adapting.job import CORRECTIONS, MODELS, Job
    from training.run.milestones import GATING, READING, TRAINING, Milestones

    job = Job.read(folder)
    told = Milestones(Path(job.progress))
    rows = [json.loads(line) for line in (folder / CORRECTIONS).read_text().splitlines()]
    told.begin(READING, 1)
    told.begin(TRAINING, 4, len(rows))
    told.advance()
    _wait(control / GO)
    parent = store.load(store.find([Path(root) for root in job.roots], job.pair, job.parent))
    card = {
        "parent": f"{job.pair}/{job.parent}",
        "data": {"corrections": {"ids": [row["id"] for row in rows], "read_at": job.read_at}},
    }
    store.save(folder / MODELS, job.pair, job.version, parent.model, (parent.source, parent.target), card)
    told.begin(GATING, 2, 70.0)
    verdict = (control / VERDICT).read_text() if (control / VERDICT).exists() else PASSES
    if verdict == FAILS:
        raise RuntimeError("the trainer broke, and a secret text with it")
    return _report(job.pair, job.parent, job.version, rows, passed=verdict == PASSES)


def _wait(path: Path) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not path.exists():
        if time.monotonic() > ends:
            raise TimeoutError(f"nobody made {path}")
        time.sleep(0.05)


def _report(pair: str, parent: str, candidate: str, rows: list[dict[str, str]], *, passed: bool) -> dict[str, Any]:
    changed = [
        {"id": row["id"], "source": row["source_text"], "reference": row["corrected_translation"],
         "before": "The ship goes at seven.", "after": row["corrected_translation"], "gain": 21.5} for row in rows
    ]  # fmt: skip
    worse = {"source": "Il treno è <i>in ritardo</i>.", "reference": "The train is late.",
             "before": "The train is late.", "after": "The train is a delay.", "gain": -12.25}  # fmt: skip
    sets = [
        {"name": "corrections", "sentences": len(rows), "measure": "log-probability", "before": -2.5, "after": -1.25,
         "delta": 1.25, "interval": [0.5, 2.0], "passed": True, "why": "they gain", "changed": changed, "notes": {}},
        {"name": "general", "sentences": 552, "measure": "BLEU", "before": 33.6, "after": 33.5 if passed else 30.5,
         "delta": -0.1 if passed else -3.1, "interval": [-0.5, 0.25] if passed else [-3.5, -2.5], "passed": passed,
         "why": "holds" if passed else "loses 3.1 BLEU", "changed": [worse], "notes": {}},
    ]  # fmt: skip
    return {
        "pair": pair, "current": parent, "candidate": candidate, "passed": passed, "strength": 0.7,
        "reasons": [] if passed else ["general loses 3.1 BLEU"],
        "answers": {"why": f"answers {len(rows)} of {len(rows)} corrections itself; before, 0"}, "sets": sets,
        "attempts": [{"strength": 0.7, "passed": passed, "why": {"general": "general holds"}}],
        "left_out": [] if passed else [{"id": row["id"], "why": "longer than 128 tokens"} for row in rows[1:]],
        "replay": "none", "seconds": 1,
    }  # fmt: skip


if __name__ == "__main__":
    import app.commands.retrain
    from app.cli import main

    control = Path(sys.argv.pop(1))
    app.commands.retrain._train = lambda folder, _options: train(folder, control)
    sys.argv.insert(1, "retrain")
    main()

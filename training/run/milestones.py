"""How far a run is, for whoever follows it from another process: lines of JSON, appended to one file.

    {"event": "stage", "stage": "training", "number": 12, "done": 30, "total": 200, "seconds": 41.5}

`stage` is one of the names below, `number` belongs to it, `seconds` are since the run began to tell. No line holds a
text of anybody. There are about a hundred lines a stage at most, however many steps it has.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger("traghetto.retraining")

READING = "reading"
VALIDATING = "validating"
"""Cross-validation; the number is how many folds there are."""
TRAINING = "training"
"""The number is how many corrections are learnt."""
MEASURING = "measuring"
"""What the version that serves makes of the sets."""
GATING = "gating"
"""The number is the share of the new weights, in per cent."""
LINE_EVERY_S = 0.5
SHARE = 0.01
"""Of a stage; less progress than that is not worth a line."""


class Milestones:
    """Writes the file. One that cannot be written is told once in the log: no run is lost for it."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._began = clock()
        self._stage = ""
        self._number: float | None = None
        self._done, self._total = 0, 1
        self._told = (0, self._began)
        """Steps done, and when, at the last line."""
        self._failed = False

    def begin(self, stage: str, total: int, number: float | None = None) -> None:
        """A stage of `total` steps begins; the one before is done."""
        if self._stage and self._told[0] < self._total:
            self._done = self._total
            self._tell()
        self._stage, self._number, self._done, self._total = stage, number, 0, max(1, total)
        self._tell()

    def advance(self) -> None:
        """One step of the stage is done."""
        self._done = min(self._total, self._done + 1)
        done, moment = self._told
        is_worth_it = self._done - done >= SHARE * self._total and self._clock() - moment >= LINE_EVERY_S
        if self._stage and (is_worth_it or self._total == self._done > done):
            self._tell()

    def _tell(self) -> None:
        now = self._clock()
        self._told = (self._done, now)
        seconds = round(now - self._began, 1)
        number = {} if self._number is None else {"number": round(self._number, 1)}
        line = {"event": "stage", "stage": self._stage, **number, "done": self._done, "total": self._total}
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**line, "seconds": seconds}) + "\n")
        except OSError as error:
            if not self._failed:
                log.warning("a run goes on untold: %s cannot be written: %s", self._path, error.strerror)
            self._failed = True

"""How far the retrainings are, in files that every process on the data directory can read: `progress/ID.jsonl`.

    {"event": "begun", "pair": "it-en", "parent": "default", "candidate": "corrected-20261128-1", "corrections": 12}
    {"event": "stage", ...}     the trainer's: see `training.run.milestones`
    {"event": "ended"}          the database has the result

They hold no text of anybody, and stay when a run has ended, for who comes late; the newest are kept. Beside it may lie
`ID.stop`: see `app.retraining.stopping`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.settings import Settings

log = logging.getLogger("traghetto.retraining")

FOLDER = "progress"
BEGUN, STAGE, ENDED = "begun", "stage", "ended"
KEPT = 50
"""Runs whose files stay."""
MOST_BYTES = 1_048_576
"""Of one file that is read; a run writes about a tenth."""
FIELDS = {BEGUN: ("pair", "parent", "candidate", "corrections"), STAGE: ("stage", "number", "done", "total", "seconds")}
"""What is passed on, by event."""

Event = dict[str, Any]


def progress_file(settings: Settings, id: uuid.UUID) -> Path:
    """Where the run `id` tells how far it is."""
    return settings.data_dir / FOLDER / f"{id}.jsonl"


def tell(settings: Settings, id: uuid.UUID, event: str, **facts: Any) -> None:
    """Append a line to the file of a run. If that cannot be, the run goes on untold."""
    path = progress_file(settings, id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, **facts}) + "\n")
    except OSError as error:
        log.warning("a run goes on untold: %s cannot be written: %s", path, error.strerror)


def forget_old(settings: Settings) -> None:
    """Remove the files of all but the newest runs."""
    paths = sorted((settings.data_dir / FOLDER).glob("*.jsonl"), key=_written)
    for path in paths[:-KEPT]:
        with contextlib.suppress(OSError):  # it stays: no reason for a run to fail
            path.unlink(missing_ok=True)
            path.with_suffix(".stop").unlink(missing_ok=True)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # another process has just removed it
        return 0.0


class Reader:
    """Reads a file that grows, a piece at each call; not for the event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = self._count = 0

    def read(self) -> list[tuple[int, Event]]:
        """What came since the last call: events with their numbers, the first 1. A line that is not whole yet waits."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                found = file.read(MOST_BYTES - self._offset)
        except OSError:
            return []
        whole = found[: found.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [(number, event) for number, line in self._numbered(whole) if (event := _event(line)) is not None]

    def _numbered(self, whole: bytes) -> Iterator[tuple[int, bytes]]:
        for line in whole.splitlines():
            self._count += 1
            yield self._count, line


def _event(line: bytes) -> Event | None:
    """What a line tells; None if nothing of ours."""
    try:
        found = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    event = found.get("event") if isinstance(found, dict) else None
    if event == ENDED:
        return {"event": ENDED}
    if event not in FIELDS:
        return None
    known = {name: found[name] for name in FIELDS[event] if isinstance(found.get(name), str | int | float)}
    return {"event": event, **known}


def _refuse(constant: str) -> None:
    """NaN and its like are not JSON, and nobody who is told of them could read it."""
    raise ValueError(constant)

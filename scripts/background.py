"""A run that trains in the background: its folder, its process, what it has measured."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = "long"
RECENT_ROWS = 50
"""Lines of metrics over which the speed is measured: 1,000 updates."""


@dataclass(frozen=True)
class Run:
    """One direction in the folder of a long run."""

    folder: Path
    pair: str

    @property
    def work(self) -> Path:
        """Where the trainer keeps its checkpoints and metrics."""
        return self.folder / self.pair / VERSION

    @property
    def log(self) -> Path:
        """What the trainer says."""
        return self.folder / f"{self.pair}.log"

    @property
    def pid_file(self) -> Path:
        """The number of the process, while there is one."""
        return self.folder / f"{self.pair}.pid"

    @property
    def begun(self) -> bool:
        """Whether there is something to go on from."""
        return (self.work / "last.safetensors").exists()

    @property
    def version(self) -> Path:
        """The version that its end writes."""
        return self.folder / "models" / self.pair / VERSION

    def process(self) -> int | None:
        """The process that trains; None if there is none, also where the system has given its number to another."""
        try:
            pid = int(self.pid_file.read_text(encoding="utf-8"))
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if str(self.folder).encode() in command and self.pair.encode() in command else None

    def state(self) -> str:
        """`running`, `paused` or `stopped`."""
        pid = self.process()
        if pid is None:
            return "stopped"
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T":
                return "paused"
        return "running"

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one; it may end meanwhile."""
        pid = self.process()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def metrics(self) -> list[dict[str, Any]]:
        """What the trainer has measured so far; a line that is being written is left out."""
        try:
            lines = (self.work / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            with contextlib.suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found

    def last_words(self) -> str:
        """The end of the log."""
        try:
            return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])
        except FileNotFoundError:
            return "no log"


def figures(metrics: Sequence[dict[str, Any]]) -> list[str]:
    """The columns of `status` after the first two: tokens so far, hours, recent speed, and the last scores."""
    if not metrics:
        return ["0", "", "", "", "", ""]
    last, steps = metrics[-1], [row for row in metrics if "loss" in row][-RECENT_ROWS:]
    tokens = steps[-1]["tokens"] - steps[0]["tokens"] if steps else 0
    seconds = steps[-1]["seconds"] - steps[0]["seconds"] if steps else 0
    scored = next((row for row in reversed(metrics) if "dev" in row), None)
    scores = scored["dev"] if scored else {}
    bleus = [f"{scores[name]:.2f}" if name in scores else "" for name in ("bleu", "general.dev bleu")]
    speed = f"{tokens / seconds:,.0f}" if seconds > 0 else ""
    return [
        millions(last["tokens"]),
        f"{last['seconds'] / 3600:.2f}",
        speed,
        *bleus,
        millions(scored["tokens"]) if scored else "",
    ]


def millions(tokens: int) -> str:
    """`12.34 M`"""
    return f"{tokens / 1e6:.2f} M"

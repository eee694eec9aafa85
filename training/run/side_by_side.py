"""Several runs at once, each in a process of its own: a GPU that one does not fill, or a core for each.

Each writes what it would have shown to a log beside its folder; here their last lines are shown.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from model.kernels.cores import usable_cores

EVERY_S = 20.0
GRACE_S = 120.0


@dataclass
class _Run:
    name: str
    log: Path
    process: subprocess.Popen[bytes]

    def line(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "starting")


def side_by_side(
    commands: Sequence[tuple[str, Path, Sequence[str]]],
    console: Console,
    module: str = "app.cli",
    limit_s: float = math.inf,
    meanwhile: Callable[[], None] | None = None,
) -> int:
    """Start all `commands` (name, folder of the run, arguments of `module`) and wait; the largest exit status.

    Ctrl-C is passed on to all, and so is the end of `limit_s`; each saves and stops, as it would alone. `meanwhile` is
    called now and then, and once at the end.
    """
    cores = usable_cores()
    environment = {"OMP_NUM_THREADS": str(max(1, cores // len(commands))), **os.environ}
    runs: list[_Run] = []
    stops_at = time.monotonic() + limit_s
    try:
        for name, folder, arguments in commands:
            runs.append(_started(name, folder, [module, *arguments], environment))
            console.print(f"{name}: process {runs[-1].process.pid}, log in {runs[-1].log}")
        _watch(runs, console, stops_at, meanwhile)
    except KeyboardInterrupt:
        console.print("stopping all")
    finally:
        _stop(runs)
        if meanwhile is not None:
            meanwhile()
    for run in runs:
        console.print(f"{run.name}: exit status {run.process.returncode}; {run.line()}")
    return max(abs(run.process.wait()) for run in runs)


def _started(name: str, folder: Path, module: Sequence[str], environment: dict[str, str]) -> _Run:
    folder.mkdir(parents=True, exist_ok=True)
    log = folder.parent / f"{folder.name}.log"  # not inside: a new run clears its folder
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *module], stdout=file, stderr=file, env=environment,
            start_new_session=True,  # so that Ctrl-C comes once, from here
        )  # fmt: skip
    return _Run(name, log, process)


def _stop(runs: Sequence[_Run]) -> None:
    """Let those that still run save and end; kill what does not."""
    left = [run.process for run in runs if run.process.poll() is None]
    for process in left:
        process.send_signal(signal.SIGINT)
    for process in left:
        try:
            process.wait(GRACE_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait()


def _watch(runs: Sequence[_Run], console: Console, stops_at: float, meanwhile: Callable[[], None] | None) -> None:
    """Show the last lines of all until they have ended, or it is time to stop them."""
    shown = time.monotonic()
    while any(run.process.poll() is None for run in runs):
        time.sleep(0.2)
        if time.monotonic() >= stops_at:
            console.print("the time is over: stopping all")
            return
        if time.monotonic() - shown >= EVERY_S:
            shown = time.monotonic()
            for run in runs:
                console.print(f"{run.name}: {run.line()}", highlight=False)
            if meanwhile is not None:
                meanwhile()

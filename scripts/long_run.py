"""The training that goes on under all other work: one run a direction, one thread each, at the lowest priority.

    scripts/long-run start --data FOLDER --max-minutes 160    from the weights that ship, or from where it stopped
    scripts/long-run pause, then start                        while something is timed
    scripts/long-run stop
    scripts/long-run status                                   tokens so far, speed, the last scores on both dev sets

All is kept in one folder, `runs/long` (ignored by git): the prepared training set, a folder and a log for each
direction. A run that ends in whatever way goes on exactly from its last checkpoint, at most five minutes before.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "training" / "configs" / "long.toml"
FOLDER = ROOT / "runs" / "long"
PAIRS = ("it-en", "en-it")
VERSION = "long"
LOWEST = 19
BEGUN = "parameters, kernels in"
"""What a run says once it has read everything and trains."""
START_S, STOP_S, HOLD_S, POLL_S = 600.0, 300.0, 5.0, 0.2
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


def start(options: argparse.Namespace, console: Console) -> int:
    """Start, resume, or let go on what is paused."""
    folder: Path = options.folder.resolve()
    options.config = options.config.resolve()
    runs = [Run(folder, pair) for pair in options.pair or PAIRS]
    for run in runs:
        if run.state() == "paused":
            run.send(signal.SIGCONT)
            console.print(f"{run.pair}: goes on")
    waiting = [run for run in runs if run.process() is None]
    if not waiting:
        console.print("nothing to start: all run already")
        return 0
    prepared = folder / "set.zip"
    if not prepared.exists() and not prepare(options, prepared, console):
        return 1
    begun = [(run, begin(run, prepared, options)) for run in waiting]
    return max(await_first_step(run, process, console) for run, process in begun)


def prepare(options: argparse.Namespace, prepared: Path, console: Console) -> bool:
    """Make the training set of a first start; whether there is one now."""
    data = options.data or os.environ.get("TRAGHETTO_CORPUS_DIR")
    if data is None:
        console.print("a first start needs the corpus: --data FOLDER, or TRAGHETTO_CORPUS_DIR")
        return False
    console.print(f"preparing {prepared}: some minutes")
    command = ["data", "prepare", str(options.config), "--data", str(Path(data).resolve()), "--out", str(prepared)]
    done = subprocess.run(program(command), cwd=ROOT, check=False, preexec_fn=lower)
    if done.returncode:
        console.print("the training set could not be made")
    return done.returncode == 0


def begin(run: Run, prepared: Path, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    """Start the process of a run: from where it stopped, or else from the weights that `--init` names."""
    arguments = [
        "train", str(options.config), "--pair", run.pair, "--data", str(prepared), "--runs", str(run.folder),
        "--out", str(run.folder / "models"), "--stop-after", str(options.max_minutes),
    ]  # fmt: skip
    if (run.work / "last.safetensors").exists():
        arguments.append("--resume")
    elif options.init != "none":
        init = options.init.replace("{pair}", run.pair)
        arguments += ["--init", str(Path(init).resolve()) if Path(init).is_dir() else init]
    with run.log.open("wb") as log:
        process = subprocess.Popen(
            program(arguments), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"}, preexec_fn=lower,
        )  # fmt: skip
    run.pid_file.write_text(str(process.pid), encoding="utf-8")
    return process


def program(arguments: Sequence[str]) -> list[str]:
    """The command line of `traghetto` with these arguments."""
    return [sys.executable, "-m", "app.cli", *arguments]


def lower() -> None:
    """Give way to all else: this process, and where it leads a session, the share of the CPU that Linux gives to that.

    The session of another, such as the terminal that this was called from, keeps its share.
    """
    os.nice(LOWEST)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(LOWEST), encoding="utf-8")


def await_first_step(run: Run, process: subprocess.Popen[bytes], console: Console) -> int:
    """Wait until the run trains, or has ended: 0 or 1."""
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        if BEGUN in run.last_words():
            console.print(f"{run.pair}: process {process.pid} trains, log in {run.log}")
            return 0
        time.sleep(POLL_S)
    console.print(f"{run.pair}: it did not begin. The end of {run.log}:\n{run.last_words()}", markup=False)
    return 1


def stop(options: argparse.Namespace, console: Console) -> int:
    """Let both save and end."""
    runs = [Run(options.folder.resolve(), pair) for pair in options.pair or PAIRS]
    for run in runs:
        run.send(signal.SIGINT)
        run.send(signal.SIGCONT)
    deadline = time.monotonic() + STOP_S
    while (left := [run.pair for run in runs if run.process()]) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    console.print(f"still saving: {', '.join(left)}" if left else "stopped")
    return int(bool(left))


def pause(options: argparse.Namespace, console: Console) -> int:
    """Hold both still until `start`; their time goes on."""
    runs = [Run(options.folder.resolve(), pair) for pair in options.pair or PAIRS]
    for run in runs:
        run.send(signal.SIGSTOP)
    deadline = time.monotonic() + HOLD_S
    while any(run.state() == "running" for run in runs) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    for run in runs:
        console.print(f"{run.pair}: {run.state()}")
    return 0


def status(options: argparse.Namespace, console: Console) -> int:
    """Print what each has come to."""
    table = Table()
    for name in ("", "state", "tokens", "hours", "tokens/s", "dev BLEU", "general BLEU", "scored at"):
        table.add_column(name, justify="left" if name in ("", "state") else "right")
    for run in (Run(options.folder.resolve(), pair) for pair in options.pair or PAIRS):
        table.add_row(run.pair, run.state(), *figures(run.metrics()))
    console.print(table)
    return 0


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


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/long-run", description="Train both directions under all other work.")
    commands = parser.add_subparsers(required=True, metavar="start|stop|pause|status")
    for name, action in (("start", start), ("stop", stop), ("pause", pause), ("status", status)):
        command = commands.add_parser(name, help=(action.__doc__ or "").splitlines()[0], description=action.__doc__)
        command.set_defaults(action=action)
        command.add_argument("--folder", type=Path, default=FOLDER, help="where all is kept [runs/long]")
        command.add_argument("--pair", action="append", choices=PAIRS, help="one direction only")
        if action is start:
            command.add_argument(
                "--data", type=Path, help="folder of the corpus, for a first start [TRAGHETTO_CORPUS_DIR]"
            )
            command.add_argument("--config", type=Path, default=CONFIG, help="settings [training/configs/long.toml]")
            command.add_argument(
                "--init", default="{pair}/default", help="weights of a first start, or none [{pair}/default]"
            )
            command.add_argument("--max-minutes", type=float, required=True, help="save and stop after so long")
    options = parser.parse_args(arguments)
    return int(options.action(options, Console(soft_wrap=True)))


if __name__ == "__main__":
    sys.exit(main())

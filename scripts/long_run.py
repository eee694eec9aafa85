"""The training that goes on under all other work: one run a direction, one thread each, at the lowest priority.

    scripts/long-run start --data FOLDER --max-minutes 160    from the weights that ship, or from where it stopped
    scripts/long-run pause, then start                        while something is timed
    scripts/long-run stop
    scripts/long-run finish --minutes 30    a copy whose rate falls to zero becomes a version: what it was all for
    scripts/long-run status                                   tokens so far, speed, the last scores on both dev sets

All is kept in one folder, `runs/long` (ignored by git): the prepared training set, a folder and a log for each
direction. A run that ends in whatever way goes on exactly from its last checkpoint, at most five minutes before.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.background import Run, figures

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "training" / "configs" / "long.toml"
FOLDER = ROOT / "runs" / "long"
PAIRS = ("it-en", "en-it")
LOWEST = 19
BEGUN = "parameters, kernels in"
"""What a run says once it has read everything and trains."""
START_S, STOP_S, HOLD_S, POLL_S = 600.0, 300.0, 5.0, 0.2


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
    more = ["--out", str(run.folder / "models"), "--stop-after", str(options.max_minutes)]
    if run.begun:
        more.append("--resume")
    elif options.init != "none":
        init = options.init.replace("{pair}", run.pair)
        more += ["--init", str(Path(init).resolve()) if Path(init).is_dir() else init]
    return train(run, options.config, prepared, more)


def finish(options: argparse.Namespace, console: Console) -> int:
    """Let the rate of a copy fall to zero, and write what has become of it as versions."""
    folder: Path = options.folder.resolve()
    runs = [Run(folder, pair) for pair in options.pair or PAIRS]
    copies = [Run(folder / "finish", run.pair) for run in runs]
    for run, copy in zip(runs, copies, strict=True):
        if not run.begun:
            console.print(f"{run.pair}: there is nothing to finish in {run.work}")
            return 1
        if copy.version.exists():
            console.print(f"{copy.version} is there already: move {copy.folder} away")
            return 1
        if copy.process() is not None:
            console.print(f"{copy.pair}: a copy decays already, log in {copy.log}")
            return 1
    if stop(options, console):
        return 1
    begun = []
    for run, copy in zip(runs, copies, strict=True):
        if not copy.begun:
            partial = copy.work.with_name("partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(run.work, partial)
            partial.rename(copy.work)
        more = ["--out", str(copy.folder / "models"), "--resume", "--max-minutes", str(options.minutes)]
        begun.append((copy, train(copy, options.config.resolve(), folder / "set.zip", more)))
    done = max(await_first_step(copy, process, console) for copy, process in begun)
    if not done:
        console.print(f"in {options.minutes:g} minutes: " + ", ".join(str(copy.version) for copy in copies))
    return done


def train(run: Run, config: Path, prepared: Path, more: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the process of a run, to which `more` says what it begins from and how long it trains."""
    arguments = ["train", str(config), "--pair", run.pair, "--data", str(prepared), "--runs", str(run.folder), *more]
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


ACTIONS = (start, stop, pause, status, finish)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/long-run", description="Train both directions under all other work.")
    commands = parser.add_subparsers(required=True, metavar="|".join(action.__name__ for action in ACTIONS))
    for action in ACTIONS:
        command = commands.add_parser(
            action.__name__, help=(action.__doc__ or "").splitlines()[0], description=action.__doc__
        )
        command.set_defaults(action=action)
        command.add_argument("--folder", type=Path, default=FOLDER, help="where all is kept [runs/long]")
        command.add_argument("--pair", action="append", choices=PAIRS, help="one direction only")
        if action in (start, finish):
            command.add_argument("--config", type=Path, default=CONFIG, help="settings [training/configs/long.toml]")
        if action is finish:
            command.add_argument("--minutes", type=float, required=True, help="until the rate is zero")
        if action is start:
            command.add_argument(
                "--data", type=Path, help="folder of the corpus, for a first start [TRAGHETTO_CORPUS_DIR]"
            )
            command.add_argument(
                "--init", default="{pair}/default", help="weights of a first start, or none [{pair}/default]"
            )
            command.add_argument("--max-minutes", type=float, required=True, help="save and stop after so long")
    options = parser.parse_args(arguments)
    return int(options.action(options, Console(soft_wrap=True)))


if __name__ == "__main__":
    sys.exit(main())

"""`make bench`: how fast all of it is, beside CTranslate2 in the same run. `make check-speed`: has it become slower?

Without options all suites are measured and docs/results/benchmarks.json and .md are written anew; other kinds of
processors keep their figures there. A run of some suites, or a quick one, prints its tables and writes nothing unless
--output says where.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.results import check, machine, record
from benchmarks.results.figures import Figure
from benchmarks.results.page import page
from benchmarks.results.record import FILE, FOLDER, Run
from benchmarks.results.tables import tables
from benchmarks.suites.contest import compete
from benchmarks.suites.setup import SEED, Setup, Suite
from model.versions.store import BUNDLED, find

SUITES = {
    "decode": "decode", "command-line": "command_line", "start": "start", "memory": "footprint", "serve": "serve",
    "train": "train",
}  # fmt: skip
"""Name -> module of `benchmarks.suites`, in the order of the page. The trainer's goes last, for it sets up malloc."""
ROUNDS = 3
SECONDS, QUICK_SECONDS = 0.6, 0.4
TOLERANCE = 0.2
SLOWER, NOTHING_TO_COMPARE = 1, 2
"""Exit statuses."""


def measure(names: Sequence[str], rounds: int, seconds: float, quick: bool, console: Console) -> Run:
    """Measure the suites, and print the tables of each when it is done."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(find([BUNDLED], "it-en"), Path(folder), seconds=seconds, quick=quick)
        console.print(f"Traghetto decodes by {setup.translator.kernels}", style="dim")
        for name in names:
            started = time.monotonic()
            found = measure_suite(name, setup, rounds, console)
            console.print(f"# {name}: {time.monotonic() - started:.0f} s\n\n{tables(found)}", markup=False)
            figures += found
        return Run(machine.describe(), setup.translator.kernels, SEED, rounds, seconds, figures)


def measure_suite(name: str, setup: Setup, rounds: int, console: Console) -> list[Figure]:
    """The figures of one suite, with a bar on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TextColumn("left"), TimeRemainingColumn(), TextColumn("[dim]{task.fields[what]}"))  # fmt: skip
    suite: Suite = importlib.import_module(f"benchmarks.suites.{SUITES[name]}").contests
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None, what="getting ready")
        with suite(setup) as contests:
            bar.update(task, total=rounds * sum(len(contest.entrants) for contest in contests), completed=-1)
            return compete(name, contests, rounds, lambda what: bar.update(task, advance=1, what=what))


def compare(
    before: Run, measured: Callable[[Sequence[str]], Run], names: Sequence[str], tolerance: float, console: Console
) -> int:
    """Measure the suites `names`, and say what has become slower or faster since `before`; the exit status.

    A suite with something slower is measured once more: what was only disturbed is not slower twice.
    """
    found = check.changes(measured(names).figures, before.figures)
    if slower := check.suites_of(check.beyond(found, tolerance)[0]):
        console.print(f"once more: {', '.join(slower)}")
        found = check.better_of(found, check.changes(measured(slower).figures, before.figures))
    worse, better = check.beyond(found, tolerance)
    for change in (*worse, *better):
        console.print(str(change), style="red" if change in worse else "green", markup=False)
    console.print(
        f"{len(found)} cases beside those of {before.machine['date']} ({before.machine['processor']}, commit "
        f"{before.machine['commit']}): {len(worse)} worse by more than {tolerance:.0%}, {len(better)} better"
    )
    if not found:
        return NOTHING_TO_COMPARE
    return SLOWER if worse else 0


def write(run: Run, folder: Path) -> None:
    """Put the figures of `run` in the place of those of its kind of processor, and write the page anew."""
    runs = {**record.read(folder / FILE), run.machine["kind"]: run}
    record.write(folder / FILE, runs)
    (folder / FILE).with_suffix(".md").write_text(page(runs), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="With make: make bench ARGS=\"--suites decode start\"",
    )  # fmt: skip
    parser.add_argument("--suites", nargs="+", choices=SUITES, default=list(SUITES), metavar="NAME",
                        help=f"only these, of {', '.join(SUITES)}")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"the median is taken [{ROUNDS}]")
    parser.add_argument("--quick", action="store_true", help="only the cases that say most, and shorter measurements")
    parser.add_argument(
        "--avx2", action="store_true", help="hold all programs to AVX2; without the trainer, which has no such bound"
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help=f"where {FILE} and the page are written")
    parser.add_argument("--check", action="store_true",
                        help="quickly, then compare the ratios with the committed ones, which stay as they are; exit "
                        f"status {SLOWER} if one is worse, {NOTHING_TO_COMPARE} if none can be compared")  # fmt: skip
    parser.add_argument("--tolerance", type=float, default=100 * TOLERANCE, metavar="PERCENT",
                        help=f"by how much ratios may be worse with --check [{100 * TOLERANCE:.0f}]")  # fmt: skip
    arguments = parser.parse_args()
    if arguments.avx2:
        arguments.suites = [name for name in arguments.suites if name != "train"]
        if machine.describe()["kind"] != "avx512_vnni":
            parser.error("--avx2 holds back what this processor does not have")
    if not arguments.suites:
        parser.error("nothing is left to measure")
    if arguments.rounds < 1:
        parser.error("at least one round is needed")
    if not 0 < arguments.tolerance < 100:
        parser.error("--tolerance must be between 0 and 100")
    return arguments


def main() -> int:
    """The command line."""
    arguments = _arguments()
    if arguments.avx2:
        machine.hold_to_avx2()
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 160, highlight=False, soft_wrap=True)
    quick = arguments.quick or arguments.check
    seconds = QUICK_SECONDS if quick else SECONDS
    measured = partial(measure, rounds=arguments.rounds, seconds=seconds, quick=quick, console=console)
    if arguments.check:
        kind = machine.describe()["kind"]
        before = record.read(FOLDER / FILE).get(kind)
        if before is None:
            console.print(f"{FILE} has no figures of a processor of the kind {kind}; on such a machine: make bench")
            return NOTHING_TO_COMPARE
        return compare(before, measured, arguments.suites, arguments.tolerance / 100, console)
    whole = not quick and set(SUITES) - set(arguments.suites) <= ({"train"} if arguments.avx2 else set())
    folder = arguments.output or (FOLDER if whole else None)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)  # now, and not when all is measured
    run = measured(arguments.suites)
    if folder is not None:
        write(run, folder)
        console.print(f"written: {folder / FILE} and the page beside it")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`traghetto retrain`: from approved corrections to the next version, through the gate."""

from __future__ import annotations

import contextlib
import json
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.options import Pair
from app.retraining.exits import EXIT_NOTHING, EXIT_REFUSED, EXIT_RUNNING

if TYPE_CHECKING:
    from rich.console import Console

    from app.settings import Settings
    from app.storage.tables import RetrainingRun
    from training.adapting.gate import Limits
    from training.adapting.job import Options

PROMOTED_OR_KEPT = ("promoted", "kept")

Data = Annotated[
    Path | None,
    typer.Option(envvar="TRAGHETTO_CORPUS_DIR", exists=True, help="Corpus to replay: its folder, or a prepared set."),
]
Sets = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="Your own sets: PAIR/general.tsv, challenge.tsv, replay.tsv."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Train and judge, but do not promote.")]
Margin = Annotated[float, typer.Option(min=0, help="BLEU points that all other sets together may lose on average.")]
Floor = Annotated[float, typer.Option(min=0, help="... and at the lower end of the 95 % interval.")]
Drift = Annotated[
    float | None,
    typer.Option(
        min=0, help="... since the last full training, all promotions taken together. Default: 0.5, or --margin."
    ),
]
Alone = Annotated[
    float | None,
    typer.Option(min=0, help="... one of these sets by itself, since the last full training. Default: 1, or --drift."),
]
Seed = Annotated[int, typer.Option(help="Of all random choices: the same seed gives the same candidate.")]
Processes = Annotated[int | None, typer.Option(min=1, help="Folds trained at once. Default: one a core.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the gate's report as JSON.")]
RunId = Annotated[
    uuid.UUID | None, typer.Option("--id", hidden=True, help="Of the run, for a server that has begun it.")
]


def retrain(  # noqa: PLR0913 - one argument for each option
    pair: Pair,
    data: Data = None,
    sets: Sets = None,
    dry_run: DryRun = False,
    margin: Margin = 0.2,
    floor: Floor = 1.0,
    drift: Drift = None,
    alone: Alone = None,
    seed: Seed = 1,
    processes: Processes = None,
    as_json: AsJson = False,
    id: RunId = None,
) -> None:
    """Train the current version on the approved corrections it has not learnt, and promote it if it passes the gate.

    Servers of the same data directory follow by themselves. Ends with status 3 if there is nothing to learn, 4 if the
    gate refuses the candidate; the report is stored either way. Status 5: another retraining runs.

    [bold]Examples[/bold]

      traghetto retrain --pair it-en

      traghetto retrain --pair it-en --data corpus --dry-run --json
    """
    from app.settings import load_settings

    with _stoppable():
        options = _options(data, sets, _limits(margin, floor, drift, alone), seed, processes)
        run = _run(load_settings(), pair, options, dry_run=dry_run, id=id or uuid.uuid4())
    if as_json:
        typer.echo(json.dumps({"run": str(run.id), "state": run.state, **(run.report or {})}, ensure_ascii=False))
    else:
        _print(run.state, run.report or {})
    if run.state not in PROMOTED_OR_KEPT:
        raise typer.Exit(EXIT_REFUSED)


def _run(settings: Settings, pair: str, options: Options, *, dry_run: bool, id: uuid.UUID) -> RetrainingRun:
    from app.retraining.leftovers import AlreadyRunning
    from app.retraining.run import NothingToDo, retrain_pair
    from app.retraining.stopping import stopping_when_asked

    try:
        with stopping_when_asked(settings, id):
            return retrain_pair(settings, pair, lambda folder: _train(folder, options), dry_run=dry_run, id=id)
    except (NothingToDo, AlreadyRunning) as error:
        typer.echo(f"traghetto: {error}", err=True)
        raise typer.Exit(EXIT_NOTHING if isinstance(error, NothingToDo) else EXIT_RUNNING) from None


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM, and SIGHUP where it is not ignored, do what Ctrl-C does: nothing is left behind."""
    signals = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is not signal.SIG_IGN]
    before = {one: signal.signal(one, signal.default_int_handler) for one in signals}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _options(
    data: Path | None,
    sets: Path | None,
    limits: Limits,
    seed: int,
    processes: int | None,
) -> Options:
    from model.kernels.cores import usable_cores
    from training.adapting.adaptation import AdaptationSettings
    from training.adapting.job import Options

    return Options(
        data=data,
        sets=sets or Options.sets,
        settings=AdaptationSettings(seed=seed),
        limits=limits,
        processes=processes or usable_cores(),
    )


def _limits(margin: float, floor: float, drift: float | None, alone: float | None) -> Limits:
    """What is not said is no less than what is."""
    from training.adapting.gate import Limits

    drift = max(margin, Limits.drift) if drift is None else drift
    return Limits(margin, floor, drift, max(drift, Limits.alone) if alone is None else alone)


def _train(folder: Path, options: Options) -> dict[str, Any]:
    from rich.console import Console

    from training.retrain import retrain

    return retrain(folder, options, Console(stderr=True))


def _print(state: str, report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(title=f"{report['pair']}: {report['candidate']} from {report['current']}: {state}")
    for name in ("set", "sentences", "measure", "before", "after", "change", "95 %", ""):
        shown.add_column(name, justify="left" if name in ("set", "measure", "") else "right")
    for one in report["sets"]:
        low, high = one["interval"]
        shown.add_row(
            one["name"], str(one["sentences"]), one["measure"], f"{one['before']:.2f}", f"{one['after']:.2f}",
            f"{one['delta']:+.2f}", f"{low:+.2f} to {high:+.2f}", "" if one["passed"] else f"FAILS: {one['why']}",
        )  # fmt: skip
    console: Console = Console(highlight=False)
    console.print(shown)
    if len(report["attempts"]) > 1:
        for one in report["attempts"]:
            console.print(f"With {one['strength']:.0%} of what was learnt: {'; '.join(one['why'].values())}")
    elif report["answers"]:
        console.print(report["answers"]["why"])
    for reason in report["reasons"]:
        console.print(f"refused: {reason}")
    for left in report["left_out"]:
        console.print(f"left out: {left['id']} {left['why']}")

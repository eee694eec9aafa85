"""`traghetto train`: settings and a corpus in, a version folder out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.errors import AppError

if TYPE_CHECKING:
    from training.train import RunOptions

EXIT_INTERRUPTED = 130


Configs = Annotated[
    list[Path],
    typer.Argument(
        metavar="CONFIG.toml...", exists=True, dir_okay=False, help="Settings, such as training/configs/base.toml."
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        exists=True, help="Folder of the corpus, or a file made by `data prepare`. Default: TRAGHETTO_CORPUS_DIR."
    ),
]
Pairs = Annotated[
    list[str] | None, typer.Option("--pair", help="it-en or en-it, in place of the settings'. May be given twice.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on exactly where an interrupted run stopped.")]
Init = Annotated[
    str | None,
    typer.Option(help="Begin from the weights of a version (it-en/default, or its folder) or of a run (its folder)."),
]
Export = Annotated[bool, typer.Option("--export", help="Train nothing; write the best checkpoint so far as a version.")]
MaxMinutes = Annotated[
    float | None, typer.Option(min=0.01, help="End after this time, with the learning-rate schedule completed.")
]
MaxSteps = Annotated[
    int | None, typer.Option(min=1, help="End after this many updates; a few make a dry run of the same command.")
]
ShardMib = Annotated[
    float | None, typer.Option(min=0.1, help="Keep the best weights in fp16 files of at most this size.")
]
StopAfter = Annotated[
    float | None, typer.Option(min=0.01, help="Save and stop after so many minutes; --resume goes on.")
]
Runs = Annotated[Path, typer.Option(file_okay=False, help="Folder for work in progress.")]
CheckpointsUrl = Annotated[
    str | None,
    typer.Option(
        "--checkpoints",
        metavar="URL",
        help="Copy checkpoints to s3://bucket/prefix or file:///folder; --resume fetches those that are farther.",
    ),
]
Out = Annotated[Path | None, typer.Option(file_okay=False, help="Folder for finished versions. Default: ./var/models.")]


def train(  # noqa: PLR0913 - one argument for each option
    configs: Configs,
    data: Data = None,
    pair: Pairs = None,
    resume: Resume = False,
    init: Init = None,
    export: Export = False,
    max_minutes: MaxMinutes = None,
    max_steps: MaxSteps = None,
    shard_mib: ShardMib = None,
    stop_after: StopAfter = None,
    runs: Runs = Path("runs"),
    out: Out = None,
    checkpoints: CheckpointsUrl = None,
) -> None:
    """Train a model as CONFIG.toml says and write a version folder.

    Ctrl-C saves and stops; the same command with --resume goes on. Several settings or pairs are trained side by side,
    each in a process of its own: two models on a GPU that one does not fill, or one on each core.

    [bold]Examples[/bold]

      traghetto data fetch anki --out data

      traghetto train training/configs/tatoeba.toml --data data --max-minutes 120

      traghetto train training/configs/base.toml --pair it-en --pair en-it --init it-en/default --data set.zip
    """
    from training.train import RunOptions, run

    options = RunOptions(data, None, resume, init, export, max_minutes, max_steps, shard_mib, stop_after, out, runs)
    wanted = [(config, replace(options, pair=one)) for config in configs for one in pair or (None,)]
    if len(wanted) > 1:
        raise typer.Exit(_several(wanted, _checked(checkpoints)))
    with _copied(*wanted[0], _checked(checkpoints)):
        written = run(*wanted[0])
    if written is not None:
        typer.echo(written)
    elif os.environ.get("RANK", "0") == "0":  # under torchrun only the first worker writes a version
        raise typer.Exit(EXIT_INTERRUPTED)


def _checked(url: str | None) -> str | None:
    from app.setting_values import models_url

    try:
        return None if url is None else models_url(url)
    except ValueError as error:
        raise typer.BadParameter(f"--checkpoints {error}") from None


def _copied(config: Path, options: RunOptions, url: str | None) -> AbstractContextManager[None]:
    """While it lasts, the checkpoints of a run are copied to `url`; those of an earlier one are fetched first."""
    if url is None:
        return nullcontext()
    from app.versions.shared_checkpoints import Checkpoints, copied
    from training.run.checkpoint import steps_in
    from training.train import settings_of

    settings = settings_of(config, options)
    checkpoints = Checkpoints(url, options.runs / settings.pair / settings.version, steps_in)
    if options.resume and os.environ.get("LOCAL_RANK", "0") == "0":  # once on each machine; the others wait for it
        checkpoints.fetch()
    elif not options.resume and os.environ.get("RANK", "0") == "0" and checkpoints.would_be_lost:
        raise AppError(
            f"{url} has checkpoints of {settings.pair}/{settings.version} already; --resume goes on with them"
        )
    return copied(checkpoints)


def _several(wanted: Sequence[tuple[Path, RunOptions]], url: str | None) -> int:
    from rich.console import Console

    from training.run.side_by_side import side_by_side
    from training.train import settings_of

    commands = []
    for config, options in wanted:
        settings = settings_of(config, options)
        folder = options.runs / settings.pair / settings.version
        commands.append((f"{settings.pair}/{settings.version}", folder, _arguments(config, options, url)))
    if len({folder for _, folder, _ in commands}) < len(commands):
        raise typer.BadParameter("two runs would share a folder: the same pair and version twice")
    return side_by_side(commands, Console(stderr=True))


def _arguments(config: Path, options: RunOptions, url: str | None = None) -> list[str]:
    """The command line that makes `options` again."""
    found = ["train", str(config), *(["--checkpoints", url] if url is not None else [])]
    for field in fields(options):
        value, flag = getattr(options, field.name), f"--{field.name.replace('_', '-')}"
        if value is True:
            found.append(flag)
        elif value is not None and value is not False:
            found += [flag, str(value)]
    return found

"""`traghetto train`: settings and a corpus in, a version folder out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

EXIT_INTERRUPTED = 130


def train(
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG.toml", exists=True, dir_okay=False, help="Settings, such as training/configs/tatoeba.toml."
        ),
    ],
    data: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder of the corpus. [TRAGHETTO_CORPUS_DIR]")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on exactly where an interrupted run stopped.")] = False,
    max_minutes: Annotated[
        float | None, typer.Option(min=0.01, help="End after this time, with the learning-rate schedule completed.")
    ] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="End after this many updates.")] = None,
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for finished versions. [./var/models]")
    ] = None,
) -> None:
    """Train a model as CONFIG.toml says and write a version folder.

    Ctrl-C saves and stops; the same command with --resume goes on.

    [bold]Examples[/bold]

      traghetto data fetch anki --out data

      traghetto train training/configs/tatoeba.toml --data data --max-minutes 120
    """
    from training.train import run

    written = run(config, data, resume, max_minutes, max_steps, out)
    if written is not None:
        typer.echo(written)
    elif os.environ.get("RANK", "0") == "0":  # under torchrun only the first worker writes a version
        raise typer.Exit(EXIT_INTERRUPTED)

"""`traghetto distil`: a table of what teachers say, for a smaller model to learn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import Beam, Device, Pair


def distil(  # noqa: PLR0913 - one argument for each option
    pair: Pair,
    data: Annotated[
        Path, typer.Option(envvar="TRAGHETTO_CORPUS_DIR", exists=True, file_okay=False, help="Folder of the corpus.")
    ],
    out: Annotated[Path, typer.Option(dir_okay=False, help="The table to write: Italian TAB English, gzipped.")],
    teacher: Annotated[
        list[str] | None, typer.Option(help="A version that teaches; several are one ensemble. [default]")
    ] = None,
    table: Annotated[list[str] | None, typer.Option(help="A table of the corpus. [tatoeba.train]")] = None,
    beam: Beam = 5,
    keep: Annotated[
        str, typer.Option(help="Of each beam the translation that is 'nearest' to the reference, or the 'best'.")
    ] = "nearest",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many pairs of each table.")] = None,
    device: Device = "auto",
) -> None:
    """Translate the tables of a corpus by one version or an ensemble of several, for a smaller model to learn from.

    Put the table into the data folder and name it in a group of the settings.

    [bold]Example[/bold]

      traghetto distil --pair it-en --teacher teacher-1 --teacher teacher-2 --data data --out data/distilled.tsv.gz
    """
    from rich.console import Console

    from training.distil import DistilOptions
    from training.distil import distil as write

    options = DistilOptions(pair, teacher or ("default",), table or ("tatoeba.train",), beam, keep, limit, device)
    console = Console(stderr=True)
    console.print(f"{write(options, data, out, console):,} pairs")
    typer.echo(out)

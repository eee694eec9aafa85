"""`traghetto data`: get pairs to train on, and see what cleaning leaves of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

WIDTH_IN_FILES = 170

Config = Annotated[
    Path, typer.Argument(metavar="CONFIG.toml", exists=True, dir_okay=False, help="Training settings that name files.")
]
Data = Annotated[
    Path, typer.Option(envvar="TRAGHETTO_CORPUS_DIR", exists=True, file_okay=False, help="Folder of the corpus.")
]

app = typer.Typer(no_args_is_help=True, help="Get parallel sentences and look at them.")


@app.command("fetch")
def fetch(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="anki, or a corpus of OPUS such as Tatoeba or OpenSubtitles/v2018.")
    ],
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the tables; made if need be.")] = Path("data"),
    url: Annotated[str, typer.Option(help="Another address of the archive, or a file that is here already.")] = "",
    sha256: Annotated[str, typer.Option(help="Refuse an archive with another checksum.")] = "",
    held_out_per_mille: Annotated[
        int, typer.Option(min=0, max=100, help="Of the Anki selection: thousandths kept apart as dev and test tables.")
    ] = 4,
) -> None:
    """Download a public corpus and turn it into tables that `traghetto train` reads.

    What was interrupted is completed; what is there is not downloaded again. The checksum is recorded beside the
    archive. The Anki selection is split into training, dev and test tables that share no sentence.

    [bold]Examples[/bold]

      traghetto data fetch anki

      traghetto data fetch OpenSubtitles/v2018 --out data

      traghetto data fetch anki --url ~/Downloads/ita-eng.zip
    """
    from training.data.fetch import FetchOptions
    from training.data.fetch import fetch as fetch_corpus

    fetch_corpus(name, out, FetchOptions(url=url, sha256=sha256, held_out_per_mille=held_out_per_mille))


@app.command("table")
def table(
    config: Config,
    data: Data,
) -> None:
    """Show what each cleaning step would keep of the files that CONFIG.toml names.

    [bold]Example[/bold]

      traghetto data table training/configs/tatoeba.toml --data data
    """
    from rich.console import Console

    from training.config import TrainingConfig
    from training.data.assemble import assemble

    console = Console()
    assemble(TrainingConfig.read(config), data, console if console.is_terminal else Console(width=WIDTH_IN_FILES))


@app.command("prepare")
def prepare(
    config: Config,
    data: Data,
    out: Annotated[Path, typer.Option(dir_okay=False, help="The file to write.")] = Path("prepared.zip"),
) -> None:
    """Clean and split the tables once, train the vocabularies, and pack all into one compact file for both directions.

    `traghetto train CONFIG.toml --data FILE` then begins in seconds, on any machine.

    [bold]Example[/bold]

      traghetto data prepare training/configs/base.toml --data data --out prepared.zip
    """
    from rich.console import Console

    from training.config import TrainingConfig
    from training.data.prepared import prepare as write

    console = Console(stderr=True)
    written = write(TrainingConfig.read(config), data, out, console)
    console.print(f"{written.stat().st_size / 2**20:.1f} MiB")
    typer.echo(written)

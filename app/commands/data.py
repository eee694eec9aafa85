"""`traghetto data`: get pairs to train on, and see what cleaning leaves of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import Device, named_shares

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


@app.command("score")
def score(  # noqa: PLR0913 - one argument for each option
    config: Config,
    data: Data,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the scores; made if need be.")],
    table: Annotated[
        list[str] | None, typer.Option(help="A table, or a pattern of names. Default: all of CONFIG.toml.")
    ] = None,
    it_en: Annotated[str | None, typer.Option("--it-en", metavar="VERSION", help="Default: the current one.")] = None,
    en_it: Annotated[str | None, typer.Option("--en-it", metavar="VERSION", help="Default: the current one.")] = None,
    sample: Annotated[int, typer.Option(min=0, help="Only so many pairs of each table, always the same; 0: all.")] = 0,
    max_minutes: Annotated[float, typer.Option(min=0, help="Stop then; the same command goes on. 0: no limit.")] = 0.0,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    device: Device = "auto",
) -> None:
    """Score every pair that cleaning keeps by the models of both directions: how unlikely each finds the other side.

    `traghetto data noisy` then shows the worst. Ctrl-C stops; the same command goes on.

    [bold]Example[/bold]

      traghetto data score training/configs/base.toml --data data --out scores --table "books_*"
    """
    from rich.console import Console

    from training.config import TrainingConfig
    from training.filtering.cross_entropy import ScoreOptions
    from training.filtering.cross_entropy import score as score_tables

    options = ScoreOptions(table or (), (it_en, en_it), sample, max_minutes, threads, device)
    left = score_tables(TrainingConfig.read(config), data, out, options, Console(stderr=True))
    typer.echo(f"{left:,} pairs left to score")


@app.command("noisy")
def noisy(  # noqa: PLR0913 - one argument for each option
    scores: Annotated[Path, typer.Argument(metavar="SCORES", exists=True, file_okay=False, help="Of `data score`.")],
    data: Data,
    share: Annotated[float, typer.Option(min=0, help="The worst share of each scored table but those of words.")] = 0.0,
    table: Annotated[list[str] | None, typer.Option(metavar="NAME=SHARE", help="Another share of one table.")] = None,
    max_gain: Annotated[
        float, typer.Option(help="Pairs that gain more from their own other side stay; nats a token, inf: none does.")
    ] = 0.3,
    min_tokens: Annotated[int, typer.Option(min=0, help="Pairs shorter than this stay.")] = 8,
    show: Annotated[int, typer.Option(min=0, help="Print so many of each table, from the worst to the cut.")] = 50,
    write: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the list in place of what is there; the "
                     "program's own is training/data/noisy.npy.")] = None,
) -> None:  # fmt: skip
    """Show the pairs with the worst scores of each table, and write the list of those that training shall drop.

    Printed are the gain and the dual cross-entropy, in nats a token, and the sentences; only numbers are written.
    Look first: a rare or free translation scores badly too.

    [bold]Example[/bold]

      traghetto data noisy scores --data data --share 0.1 --write training/data/noisy.npy
    """
    from training.data.noisy import write_list
    from training.filtering.worst import Cut, find_worst, spread, texts

    if write and not (share or table):
        raise typer.BadParameter("--write needs --share or --table: an empty list would replace the old one")
    listed: list[int] = []
    for worst in find_worst(scores, Cut(share, named_shares(table or [], "books_gibbon=0.02"), max_gain, min_tokens)):
        numbers = worst.scores.fingerprints.tolist()
        note = "" if worst.whole else "; scored in part, so none is written"
        typer.echo(f"\n{worst.table}: {len(numbers):,} of {worst.judged:,}{note}")
        rows = spread(worst, show)
        pairs = texts(data, worst.table, {numbers[row] for row in rows})
        for row in rows:
            one = f"{worst.scores.gain[row]:5.2f} {worst.scores.dual[row]:5.2f}"
            typer.echo(f"{one}  {'  |  '.join(pairs.get(numbers[row], ('(no longer in the table)',)))}")
        listed += numbers if worst.whole else []
    if write:
        typer.echo(f"{write_list(write, listed):,} pairs in {write}")

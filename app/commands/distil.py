"""`traghetto distil`: a table of what teachers say, for a smaller model to learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from app.commands.options import Beam, Cluster, Device, Pair
from app.corpora.sharing.one_thread import load_with_one_thread


def distil(  # noqa: PLR0913 - one argument for each option
    pair: Pair,
    data: Annotated[
        Path, typer.Option(envvar="TRAGHETTO_CORPUS_DIR", exists=True, file_okay=False, help="Folder of the corpus.")
    ],
    out: Annotated[Path, typer.Option(dir_okay=False, help="The table to write: Italian TAB English, gzipped.")],
    teacher: Annotated[
        list[str] | None,
        typer.Option(help="A version that teaches; several are one ensemble. Default: the version `default`."),
    ] = None,
    table: Annotated[list[str] | None, typer.Option(help="A table of the corpus. Default: tatoeba.train.")] = None,
    beam: Beam = 5,
    keep: Annotated[
        str, typer.Option(help="Of each beam the translation that is 'nearest' to the reference, or the 'best'.")
    ] = "nearest",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many pairs of each table.")] = None,
    device: Device = "auto",
    cluster: Cluster = False,
) -> None:
    """Translate the tables of a corpus by one version or an ensemble of several, for a smaller model to learn from.

    Put the table into the data folder and name it in a group of the settings.

    [bold]Example[/bold]

      traghetto distil --pair it-en --teacher teacher-1 --teacher teacher-2 --data data --out data/distilled.tsv.gz
    """
    load_with_one_thread()  # before NumPy is imported
    from rich.console import Console

    from training.distil import DistilOptions, share_here
    from training.distil import distil as write

    if cluster and device == "auto":
        device = "cpu"  # an actor without a GPU of its own may see those of its machine
    options = DistilOptions(pair, teacher or ("default",), table or ("tatoeba.train",), beam, keep, limit, device)
    share = _share_on_cluster(gpu=device == "cuda") if cluster else share_here
    console = Console(stderr=True)
    console.print(f"{write(options, data, out, console, share):,} pairs")
    typer.echo(out)


def _share_on_cluster(*, gpu: bool) -> Callable[[Callable[[], Any], Sequence[Any]], Iterator[Any]]:
    """Chunks go to the actors of a Ray cluster, each with one CPU, or one GPU.

    Raises:
        AppError: Ray or the cluster is not there.
    """
    from app.corpora.sharing import cluster

    cluster.connect()

    def share(make: Callable[[], Any], chunks: Sequence[Any]) -> Iterator[Any]:
        def name(index: int) -> str:
            return f"chunk {index + 1:,} of {len(chunks):,}"

        results = cluster.on_cluster(partial(_alone, make), chunks, cluster.size(gpu=gpu), name, gpu=gpu)
        return cluster.in_turn(results)

    return share


def _alone(make: Callable[[], Any]) -> Any:
    """What `make` gives, held to the one core that an actor has."""
    import torch

    torch.set_num_threads(1)
    return make()

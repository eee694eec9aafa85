"""`traghetto evaluate`: how good a model is, and how sure that is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import Beam, Device, ModelVersion, Pair, Route, settings_with

if TYPE_CHECKING:
    from training.scoring.evaluation import Report

WIDTH_IN_FILES = 100

WHAT, PARTS, OUTPUT = "What is translated", "What is told besides scores and slips", "Where it goes"
"""Panels of the help."""

Src = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Sentences to translate, one a line.", rich_help_panel=WHAT),
]
Ref = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Their translations, line by line.", rich_help_panel=WHAT),
]
Data = Annotated[
    Path | None,
    typer.Option(
        envvar="TRAGHETTO_CORPUS_DIR", exists=True, file_okay=False, help="Folder of a corpus.", rich_help_panel=WHAT
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME",
        help="tatoeba.test, tatoeba.dev or another held-out table of the corpus; general, challenge, words, texts or "
        "aligned, which come with the program. May be given again. Default: tatoeba.test, general, general.dev, "
        "challenge, words and texts, if they are there.",
        rich_help_panel=WHAT,
    ),
]
Challenge = Annotated[
    bool, typer.Option("--challenge", help="The challenge set by phenomenon: --set challenge.", rich_help_panel=WHAT)
]
Alignment = Annotated[
    bool, typer.Option("--alignment", help="How well attention aligns words: --set aligned.", rich_help_panel=WHAT)
]
Limit = Annotated[int | None, typer.Option(min=1, help="Only so many rows of each set.", rich_help_panel=WHAT)]
Against = Annotated[
    str | None,
    typer.Option(
        metavar="VERSION", help="Also compare with this version, sentence by sentence.", rich_help_panel=PARTS
    ),
]
Breakdown = Annotated[
    bool,
    typer.Option(
        "--breakdown",
        help="By length, by nearness to the training tables, and against all references that the corpus has.",
        rich_help_panel=PARTS,
    ),
]
Noise = Annotated[
    bool,
    typer.Option("--noise", help="Typed carelessly: no accents, capitals, typos and others.", rich_help_panel=PARTS),
]
Full = Annotated[
    bool,
    typer.Option("--full", help="--breakdown, --noise, and aligned among the default sets.", rich_help_panel=PARTS),
]
Save = Annotated[
    bool, typer.Option("--save", help="Also write the scores into the version's card.", rich_help_panel=OUTPUT)
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.", rich_help_panel=OUTPUT)]


def evaluate(  # noqa: PLR0913 - one argument for each option
    pair: Pair,
    src: Src = None,
    ref: Ref = None,
    data: Data = None,
    sets: Sets = None,
    challenge: Challenge = False,
    alignment: Alignment = False,
    limit: Limit = None,
    model_version: ModelVersion = None,
    beam: Beam = 1,
    against: Against = None,
    breakdown: Breakdown = False,
    noise: Noise = False,
    full: Full = False,
    save: Save = False,
    as_json: AsJson = False,
    device: Device = "auto",
    route: Route = "auto",
) -> None:
    """Score a model: BLEU and chrF (0 to 100) with 95 % intervals, slips, the challenge set; see docs/evaluation.md.

    [bold]Examples[/bold]

      traghetto evaluate --pair it-en --data data --full

      traghetto evaluate --pair it-en --src test.it --ref test.en --beam 4 --json
    """
    from training.scoring.evaluation import Request, run

    if (src is None) != (ref is None):
        raise typer.BadParameter("--src and --ref go together")
    names = [*(sets or ()), *(["challenge"] if challenge else ()), *(["aligned"] if alignment else ())]
    settings = settings_with(device, route)
    request = Request(
        pair=pair, version=model_version, against=against, files=(src, ref) if src and ref else None, corpus=data,
        sets=tuple(names), limit=limit, breakdown=breakdown or full, noise=noise or full, with_aligned=full, save=save,
        beam=beam, device=settings.device, route=settings.route,
    )  # fmt: skip
    _show(run(request), as_json, request.files is not None)


def _show(report: Report, as_json: bool, of_files: bool) -> None:
    """Print the report; as JSON, that of two files is the object of that one set."""
    from rich.console import Console

    from training.scoring.tables import remarks, tables, title

    if as_json:
        found = report.to_dict()
        shown = next(iter(found["sets"].values())) if of_files else found
        typer.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH_IN_FILES)
    console.print(title(report), markup=False)
    for table in tables(report):
        console.print("", table, sep="\n")
    console.print("", *remarks(report), sep="\n", markup=False)

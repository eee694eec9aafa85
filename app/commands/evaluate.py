"""`traghetto evaluate`: BLEU and chrF of a model on a file of sentences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import Beam, Device, ModelVersion, Pair, Route, settings_with


def evaluate(  # noqa: PLR0913 - one argument for each option
    pair: Pair,
    src: Annotated[
        Path, typer.Option("--src", exists=True, dir_okay=False, help="Sentences to translate, one a line.")
    ],
    ref: Annotated[Path, typer.Option("--ref", exists=True, dir_okay=False, help="Their translations, line by line.")],
    model_version: ModelVersion = None,
    beam: Beam = 1,
    device: Device = "auto",
    route: Route = "auto",
    record_as: Annotated[
        str | None, typer.Option("--record", metavar="NAME", help="Also write the scores into the version's card.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Translate a file and score it against references: BLEU and chrF (0 to 100) with sacreBLEU's signatures.

    [bold]Example[/bold]

      traghetto evaluate --pair it-en --src test.it --ref test.en --beam 4 --json
    """
    from model.versions import find
    from training.evaluate import evaluate_files, record, version_roots

    settings = settings_with(device, route)
    scores = evaluate_files(pair, src, ref, model_version, beam, settings.device, settings.route).to_dict()
    if record_as:
        record(find(version_roots(), pair, model_version), record_as, scores)
    if as_json:
        typer.echo(json.dumps(scores, indent=2, ensure_ascii=False))
        return
    for name, value in scores.items():
        typer.echo(f"{name:<16} {value:.2f}" if isinstance(value, float) else f"{name:<16} {value}")

"""`traghetto translate`: lines or a document in, their translation out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from app.commands.options import (
    BadLines,
    Beam,
    Cluster,
    Device,
    Field,
    Force,
    Format,
    IgnoreTag,
    InputPlace,
    ModelVersion,
    OutputPlace,
    Pair,
    PricePerHour,
    Processes,
    Resume,
    Route,
    ShardLines,
    Split,
    Text,
    ToField,
    reader_left,
    settings_with,
)
from app.commands.streams.corpus import Options, check_alone, is_corpus, translate_folder
from app.commands.streams.document import translate_document
from app.commands.streams.files import Files
from app.commands.streams.stream import Tally, translate_lines
from app.corpora.plan import SHARD_LINES
from app.corpora.workers import Wanted
from model.config import SearchConfig

if TYPE_CHECKING:
    from model.translator import Translator


def translate(  # noqa: PLR0913 - one argument for each option
    pair: Pair, text: Text = None, input: InputPlace = None, output: OutputPlace = None,
    resume: Resume = False, force: Force = False,
    beam: Beam = 4, device: Device = "auto", route: Route = "auto", model_version: ModelVersion = None,
    format: Format = "text", split: Split = "lines", ignore_tag: IgnoreTag = None,
    cluster: Cluster = False, processes: Processes = None, field: Field = "text", to_field: ToField = "translation",
    shard_lines: ShardLines = SHARD_LINES, bad_lines: BadLines = "stop", price_per_hour: PricePerHour = None,
) -> None:  # fmt: skip
    """Translate words, stdin to stdout, one file into another, or a corpus: a folder, a URL, JSON lines, or Parquet.

    Text is read line by line: exactly one line out for each, in the same order; empty lines stay empty. Markup, and
    text with --split auto or none, is one document. All but the words comes out as it was. Remarks go to stderr.

    [bold]Examples[/bold]

      traghetto translate --pair it-en "Sono già stato a Roma."

      traghetto translate --pair it-en < lines.it > lines.en

      traghetto translate --pair it-en --input lines.it --output lines.en --resume

      traghetto translate --pair en-it --format markdown < README.md > LEGGIMI.md

      traghetto translate --pair it-en --input s3://bucket/it --output s3://bucket/en --cluster
    """
    if text and (input is not None or resume):
        hint = "--resume" if resume else "--input"
        raise typer.BadParameter("it does not go with words of the command line", param_hint=hint)
    wanted, search = Wanted(pair, model_version, device, route), SearchConfig(beam=beam)
    options = Options(cluster, processes, field, to_field, shard_lines, bad_lines, price_per_hour)
    if ignore_tag and format == "text":
        raise typer.BadParameter("text has no tags; it goes with another --format", param_hint="--ignore-tag")
    if format == "text" and split == "lines" and input is not None and is_corpus(input, output, options):
        translate_folder((input, output), wanted, beam, options, resume=resume, force=force)
        return
    check_alone(input, output, options)
    source, target = (None if place is None else Path(place) for place in (input, output))
    said = "".join(f"{line}\n" for line in text) if text else None
    _translate_file(Files(source, target, resume, said), wanted, search, (format, split, ignore_tag or ()), force=force)


def _translate_file(
    files: Files, wanted: Wanted, search: SearchConfig, taken_as: tuple[Format, Split, Sequence[str]], *, force: bool
) -> None:
    has_lines = taken_as[:2] == ("text", "lines")
    _check(files, has_lines, force)
    translator, threads = _load(wanted, has_lines)
    _greet(files, translator)
    try:
        if has_lines:
            _report(translate_lines(files, translator, search, threads))
        else:
            _report(translate_document(files, translator, search, taken_as))
    except BrokenPipeError:
        raise reader_left() from None


def _check(files: Files, has_lines: bool, force: bool) -> None:
    """Refuse files that would be lost, and what cannot be gone on with.

    Raises:
        BadParameter: names the option.
    """
    if files.resume and (force or not has_lines or files.kept is None):
        needs = "it needs --input and --output, both files, the second not packed; lines of text; and no --force"
        raise typer.BadParameter(needs, param_hint="--resume")
    if files.target is None or not files.target.exists():
        return
    if files.source is not None and files.target.samefile(files.source):
        raise typer.BadParameter("it is the input", param_hint="--output")
    if not (files.resume or force):
        how = f"{files.target} is there; --resume goes on with it, --force writes it anew"
        raise typer.BadParameter(how, param_hint="--output")


def _greet(files: Files, translator: Translator) -> None:
    """Tell somebody who is about to type what will answer."""
    if files.is_typed:
        about = f"{translator.pair}/{translator.version} on {translator.device} ({translator.kernels})"
        typer.echo(f"{about}; Ctrl-D ends", err=True)


def _report(tally: Tally) -> None:
    if tally.truncated:
        about = f"{tally.truncated} of {tally.count} reached the limit of words; their translations may be incomplete"
        typer.echo(f"traghetto: {about}", err=True)


def _load(wanted: Wanted, shared: bool) -> tuple[Translator, int]:
    """The wanted translator, `auto` as the settings say, and how many threads or processes may work with it."""
    from app.versions.store import model_roots

    settings = settings_with(wanted.device, wanted.route)
    from model.translator import Translator
    from model.versions import store

    folder, threads = store.find(model_roots(settings), wanted.pair, wanted.version), settings.threads
    return Translator.load(folder, settings.device, settings.route, threads, shared=shared), threads

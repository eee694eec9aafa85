"""`traghetto translate`: lines or a document in, their translation out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from app.commands.options import (
    Beam,
    Device,
    DeviceName,
    Force,
    Format,
    IgnoreTag,
    InputFile,
    ModelVersion,
    OutputFile,
    Pair,
    Resume,
    Route,
    RouteName,
    Split,
    reader_left,
    settings_with,
)
from app.commands.streams.document import translate_document
from app.commands.streams.files import STDIN, Files
from app.commands.streams.stream import Tally, translate_lines
from model.config import SearchConfig

if TYPE_CHECKING:
    from model.translator import Translator


def translate(  # noqa: PLR0913 - one argument for each option
    pair: Pair,
    input: InputFile = None,
    output: OutputFile = None,
    resume: Resume = False,
    force: Force = False,
    beam: Beam = 4,
    device: Device = "auto",
    route: Route = "auto",
    model_version: ModelVersion = None,
    format: Format = "text",
    split: Split = "lines",
    ignore_tag: IgnoreTag = None,
) -> None:
    """Translate stdin to stdout, or one file into another.

    Text is read line by line: exactly one line out for each, in the same order; empty lines stay empty. Markup, and
    text with --split auto or none, is one document. All but the words comes out as it was. Remarks go to stderr.

    [bold]Examples[/bold]

      echo "Sono già stato a Roma." | traghetto translate --pair it-en

      traghetto translate --pair it-en --input lines.it --output lines.en --resume

      traghetto translate --pair en-it --format markdown < README.md > LEGGIMI.md
    """
    files, has_lines = Files(input, output, resume), format == "text" and split == "lines"
    if ignore_tag and format == "text":
        raise typer.BadParameter("text has no tags; it goes with another --format", param_hint="--ignore-tag")
    _check(files, has_lines, force)
    translator, threads = _load(pair, device, route, model_version, has_lines)
    _greet(files, translator)
    try:
        if has_lines:
            _report(translate_lines(files, translator, SearchConfig(beam=beam), threads))
        else:
            _report(translate_document(files, translator, SearchConfig(beam=beam), (format, split, ignore_tag or ())))
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
    if files.source is None and os.isatty(STDIN):
        about = f"{translator.pair}/{translator.version} on {translator.device} ({translator.kernels})"
        typer.echo(f"{about}; Ctrl-D ends", err=True)


def _report(tally: Tally) -> None:
    if tally.truncated:
        about = f"{tally.truncated} of {tally.count} reached the limit of words; their translations may be incomplete"
        typer.echo(f"traghetto: {about}", err=True)


def _load(pair: str, device: DeviceName, route: RouteName, version: str | None, shared: bool) -> tuple[Translator, int]:
    """The wanted translator, `auto` as the settings say, and how many threads or processes may work with it."""
    from app.versions.store import model_roots

    settings = settings_with(device, route)
    from model.translator import Translator
    from model.versions import store

    folder, threads = store.find(model_roots(settings), pair, version), settings.threads
    return Translator.load(folder, settings.device, settings.route, threads, shared=shared), threads

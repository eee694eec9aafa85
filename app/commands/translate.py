"""`traghetto translate`: lines or a document on stdin, their translation on stdout."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import typer

from app.commands.lines import BYTE_ORDER_MARK, READ_BYTES, decode_line, encode_line, read_lines
from app.commands.options import (
    STDOUT,
    Beam,
    Device,
    DeviceName,
    Format,
    IgnoreTag,
    ModelVersion,
    Pair,
    Route,
    RouteName,
    Split,
    reader_left,
    settings_with,
)

if TYPE_CHECKING:
    from model.config import SearchConfig
    from model.text.plan import Plan
    from model.translator import Translation, Translator

STDIN = 0
AT_ONCE = 256
"""Sentences of a document that are translated together, and between which the bar moves."""


class Advance(Protocol):
    """Told after each piece of work."""

    def __call__(self, count: int, size: int) -> None:
        """`count` more lines or sentences are done; they were `size` bytes or characters long."""


@dataclass
class Tally:
    """What happened to the lines, or to the sentences of a document."""

    count: int = 0
    truncated: int = 0
    """Translations that reached the longest length allowed before they ended."""


def translate(  # noqa: PLR0913 - one argument for each option
    pair: Pair,
    beam: Beam = 1,
    device: Device = "auto",
    route: Route = "auto",
    model_version: ModelVersion = None,
    format: Format = "text",
    split: Split = "lines",
    ignore_tag: IgnoreTag = None,
) -> None:
    """Translate stdin to stdout.

    Text is read line by line: exactly one line out for each, in the same order; empty lines stay empty. Markup, and
    text with --split auto or none, is one document. All but the words comes out as it was. Remarks go to stderr.

    [bold]Examples[/bold]

      echo "Sono già stato a Roma." | traghetto translate --pair it-en

      traghetto translate --pair it-en --beam 4 --split auto < libro.txt > book.txt

      traghetto translate --pair en-it --format markdown < README.md > LEGGIMI.md
    """
    if ignore_tag and format == "text":
        raise typer.BadParameter("text has no tags; it goes with another --format", param_hint="--ignore-tag")
    translator = _load(pair, device, route, model_version)
    from model.config import SearchConfig
    from model.markup.formats import plan_as

    search = SearchConfig(beam=beam)
    try:
        if format == "text" and split == "lines":
            tally = _translate_lines(translator, search)
        else:
            mark, text = _read_document()
            plan = plan_as(format, text, translator.source, split, ignore_tag or ())
            tally = _translate_plan(mark, plan, translator, search)
    except BrokenPipeError:
        raise reader_left() from None
    _report(tally)


def translate_stream(
    read: Callable[[int], bytes],
    write: Callable[[bytes], None],
    translate_texts: Callable[[Sequence[str]], Sequence[Translation]],
    advance: Advance = lambda count, size: None,
) -> Tally:
    """Translate all that `read` brings and `write` it after each piece, so that memory stays bounded."""
    tally = Tally()
    for lines in read_lines(read):
        translations = translate_texts([decode_line(line) for line in lines])
        write(b"".join(encode_line(translation.text) for translation in translations))
        tally.count += len(lines)
        tally.truncated += sum(translation.truncated for translation in translations)
        advance(len(lines), sum(len(line) + 1 for line in lines))
    return tally


def translate_document(
    plan: Plan,
    translate_sentences: Callable[[Sequence[str]], Sequence[Translation]],
    advance: Advance = lambda count, size: None,
) -> tuple[str, Tally]:
    """Translate the sentences of a document piece by piece, and put it together again."""
    translations: list[Translation] = []
    sentences = plan.sentences
    for start in range(0, len(sentences), AT_ONCE):
        piece = sentences[start : start + AT_ONCE]
        translations += translate_sentences(piece)
        advance(len(piece), sum(map(len, piece)))
    truncated = sum(translation.truncated for translation in translations)
    return plan.put_together(translations).text, Tally(len(sentences), truncated)


def _translate_lines(translator: Translator, search: SearchConfig) -> Tally:
    with _progress("lines", _input_bytes()) as advance:
        return translate_stream(_read, _write, lambda texts: translator.translate(texts, search), advance)


def _translate_plan(mark: str, plan: Plan, translator: Translator, search: SearchConfig) -> Tally:
    with _progress("sentences", sum(map(len, plan.sentences))) as advance:
        text, tally = translate_document(plan, lambda texts: translator.translate_sentences(texts, search), advance)
    _write((mark + text).encode())
    return tally


def _report(tally: Tally) -> None:
    if tally.truncated:
        about = f"{tally.truncated} of {tally.count} reached the limit of words; their translations may be incomplete"
        typer.echo(f"traghetto: {about}", err=True)


def _read_document() -> tuple[str, str]:
    """All of stdin: its byte order mark, if it has one, and its text.

    Raises:
        BadParameter: it is not UTF-8.
    """
    data = b"".join(iter(lambda: _read(READ_BYTES), b""))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        found = f"byte 0x{data[error.start]:02X} at {error.start + 1}"
        raise typer.BadParameter(f"the input is not UTF-8: {found}; convert it first, such as with iconv") from None
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    return mark, text.removeprefix(mark)


def _load(pair: str, device: DeviceName, route: RouteName, version: str | None) -> Translator:
    """The wanted translator, `auto` as the settings say; on a terminal, say which it is."""
    from app.versions.store import model_roots

    settings = settings_with(device, route)
    import torch

    from model.translator import Translator
    from model.versions import store

    torch.set_num_threads(settings.threads)
    folder = store.find(model_roots(settings), pair, version)
    translator = Translator.load(folder, device=settings.device, route=settings.route)
    if sys.stdin.isatty():
        about = f"{translator.pair}/{translator.version} on {translator.device} ({translator.kernels})"
        typer.echo(f"{about}; Ctrl-D ends", err=True)
    return translator


@contextmanager
def _progress(kind: str, total: int | None) -> Iterator[Advance]:
    """A bar on stderr, when that is a terminal which shows neither what comes in nor what goes out.

    `kind` is what it counts, `total` the size of all of them together, if it is known.
    """
    if not sys.stderr.isatty() or sys.stdin.isatty() or sys.stdout.isatty():
        yield lambda count, size: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.fields[count]:,} " + kind), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
               TextColumn("left"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False) as bar:
        task = bar.add_task("translate", total=total, count=0)
        done = 0

        def advance(count: int, size: int) -> None:
            nonlocal done
            done += count
            bar.update(task, advance=size, count=done)

        yield advance


def _input_bytes() -> int | None:
    """Size of stdin when it is a file; a pipe has none."""
    status = os.fstat(STDIN)
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _read(size: int) -> bytes:
    return os.read(STDIN, size)


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(STDOUT, view) :]

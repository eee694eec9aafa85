"""`traghetto translate`: sentences on stdin, one a line; translations on stdout, one a line."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import typer

from app.commands.lines import decode_line, encode_line, read_lines
from app.commands.options import (
    STDOUT,
    Beam,
    Device,
    DeviceName,
    ModelVersion,
    Pair,
    Route,
    RouteName,
    reader_left,
    settings_with,
)

if TYPE_CHECKING:
    from model.translator import Translation, Translator

STDIN = 0


class Advance(Protocol):
    """Told after each piece of work."""

    def __call__(self, lines: int, size_bytes: int) -> None:
        """`lines` more are done; they were `size_bytes` long with their newlines."""


@dataclass
class Tally:
    """What happened to the lines."""

    lines: int = 0
    truncated: int = 0
    """Translations that reached the longest length allowed before they ended."""


def translate(
    pair: Pair,
    beam: Beam = 1,
    device: Device = "auto",
    route: Route = "auto",
    model_version: ModelVersion = None,
) -> None:
    """Translate stdin to stdout: one sentence a line in, exactly one line each out, in the same order.

    Empty lines stay empty. Progress and remarks go to stderr.

    [bold]Examples[/bold]

      echo "Sono già stato a Roma." | traghetto translate --pair it-en

      traghetto translate --pair it-en --beam 4 < libro.it > book.en
    """
    translator = _load(pair, device, route, model_version)
    from model.config import SearchConfig

    search = SearchConfig(beam=beam)
    try:
        with _progress() as advance:
            tally = translate_stream(_read, _write, lambda texts: translator.translate(texts, search), advance)
    except BrokenPipeError:
        raise reader_left() from None
    if tally.truncated:
        about = (
            f"{tally.truncated} of {tally.lines} lines reached the limit of words; their translations may be incomplete"
        )
        typer.echo(f"traghetto: {about}", err=True)


def translate_stream(
    read: Callable[[int], bytes],
    write: Callable[[bytes], None],
    translate_texts: Callable[[Sequence[str]], Sequence[Translation]],
    advance: Advance = lambda lines, size_bytes: None,
) -> Tally:
    """Translate all that `read` brings and `write` it after each piece, so that memory stays bounded."""
    tally = Tally()
    for lines in read_lines(read):
        translations = translate_texts([decode_line(line) for line in lines])
        write(b"".join(encode_line(translation.text) for translation in translations))
        tally.lines += len(lines)
        tally.truncated += sum(translation.truncated for translation in translations)
        advance(len(lines), sum(len(line) + 1 for line in lines))
    return tally


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
        typer.echo(f"{about}; one sentence a line, Ctrl-D ends", err=True)
    return translator


@contextmanager
def _progress() -> Iterator[Advance]:
    """A bar on stderr, when that is a terminal which shows neither what comes in nor what goes out."""
    if not sys.stderr.isatty() or sys.stdin.isatty() or sys.stdout.isatty():
        yield lambda lines, size_bytes: None
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

    columns = (TextColumn("{task.fields[lines]:,} lines"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
               TextColumn("left"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False) as bar:
        task = bar.add_task("translate", total=_input_bytes(), lines=0)
        done = 0

        def advance(lines: int, size_bytes: int) -> None:
            nonlocal done
            done += lines
            bar.update(task, advance=size_bytes, lines=done)

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

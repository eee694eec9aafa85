"""Lines in, as many lines out, in their order; piece by piece, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import typer

from app.commands.streams.bar import Advance, nobody, progress
from app.commands.streams.files import Files, Output, Source
from app.commands.streams.resume import Run, begin, end, sha256
from app.commands.streams.workers import in_order
from app.corpora.files.lines import READ_BYTES, decode_line, encode_line, read_lines
from app.errors import AppError

if TYPE_CHECKING:
    from model.config import SearchConfig
    from model.translator import Translation, Translator

SHARED_BYTES = 1 << 13
"""Read at once where several processes share the work: 200 everyday lines. With fewer, batches are less full; with
more, some processes have nothing to do at the end, or in a short file."""
TranslateTexts = Callable[[Sequence[str]], Sequence["Translation"]]


@dataclass
class Tally:
    """What happened to the lines, or to the sentences of a document."""

    count: int = 0
    truncated: int = 0
    """Translations that reached the longest length allowed before they ended."""


@dataclass(frozen=True)
class Piece:
    """Lines that were read at once."""

    lines: Sequence[bytes]
    position: int
    """Bytes of the input up to their end."""


@dataclass(frozen=True)
class Translated:
    """What became of a piece."""

    data: bytes
    count: int
    truncated: int
    position: int


def translate_lines(files: Files, translator: Translator, search: SearchConfig, threads: int) -> Tally:
    """Translate each line of a file or of standard input; where `files` are kept, such that it can be gone on with.

    Raises:
        AppError: what is there cannot be gone on with.
        OSError: a file cannot be read or written; names it.
    """
    kept = files.kept
    with closing(files.open_source()) as source:
        target, done = _opened(files, translator, search)
        processes = _processes(source, threads) if translator.is_shared else 1
        with closing(target), _told_to_resume(is_kept=kept is not None):
            pieces = without_first(pieces_of(source, READ_BYTES if processes == 1 else SHARED_BYTES), done)
            translate_texts = partial(translator.translate, search=search)
            with progress(files, "lines", source.size_bytes, (done, source.position)) as advance:
                tally = translate_stream(pieces, target.write, translate_texts, advance, processes)
            if kept is not None:
                target.sync()
                end(kept[1])
    return tally


def _processes(source: Source, threads: int) -> int:
    """One for each of `threads`, but none that would have nothing to do."""
    return threads if source.size_bytes is None else min(threads, 1 + source.size_bytes // SHARED_BYTES)


def translate_stream(
    pieces: Iterable[Piece],
    write: Callable[[bytes], None],
    translate_texts: TranslateTexts,
    advance: Advance = nobody,
    processes: int = 1,
) -> Tally:
    """Translate `pieces` in so many `processes`, and `write` each as soon as it and those before it are done."""
    tally = Tally()
    for done in _in_order(partial(_translated, translate_texts), iter(pieces), processes):
        write(done.data)
        tally.count += done.count
        tally.truncated += done.truncated
        advance(done.count, done.position)
    return tally


def pieces_of(source: Source, size: int) -> Iterator[Piece]:
    """All lines of `source`, as soon as they are there; `size` bytes are read at once."""
    return (Piece(lines, source.position) for lines in read_lines(source.read, size))


def without_first(pieces: Iterator[Piece], count: int) -> Iterator[Piece]:
    """`pieces` without their first `count` lines, which are read at once.

    Raises:
        AppError: there are fewer.
    """
    left = count
    while left:
        piece = next(pieces, None)
        if piece is None:
            raise AppError(
                f"the output has {count} lines and the input only {count - left}: they do not belong together"
            )
        if left < len(piece.lines):
            return chain([Piece(piece.lines[left:], piece.position)], pieces)
        left -= len(piece.lines)
    return pieces


def _opened(files: Files, translator: Translator, search: SearchConfig) -> tuple[Output, int]:
    """Where the lines go, and how many of them are there."""
    if files.kept is None:
        return files.open_target(), 0
    from model.versions.store import WEIGHTS

    (source, target), card = files.kept, translator.card
    run = Run(sha256(source), card.pair, card.version, card.files[WEIGHTS], translator.route, search.beam)
    descriptor, done = begin(source, target, run, files.resume)
    return Output(target, descriptor), done


@contextmanager
def _told_to_resume(*, is_kept: bool) -> Iterator[None]:
    """Say after Ctrl-C what can be done with what is there."""
    try:
        yield
    except KeyboardInterrupt:
        if is_kept:
            typer.echo("traghetto: stopped; with --resume the same command goes on", err=True)
        raise


def _in_order(work: Callable[[Piece], Translated], pieces: Iterator[Piece], processes: int) -> Iterator[Translated]:
    """Here, until a piece shows that lines come faster than one by one: to start the processes takes a while."""
    for piece in pieces:
        if sum(map(len, piece.lines)) >= SHARED_BYTES // 2:
            yield from in_order(work, chain([piece], pieces), processes)
        else:
            yield work(piece)


def _translated(translate_texts: TranslateTexts, piece: Piece) -> Translated:
    translations = translate_texts([decode_line(line) for line in piece.lines])
    data = b"".join(encode_line(translation.text) for translation in translations)
    truncated = sum(translation.truncated for translation in translations)
    return Translated(data, len(piece.lines), truncated, piece.position)

"""Corpus files -> pairs: the project's own tables, the Tatoeba/Anki download, and OPUS archives in Moses format.

Everything here speaks of (Italian, English), whatever direction is trained later.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Literal

from model.errors import ConfigError
from training.data.cleaning import Pair, looks_like

Layout = Literal["auto", "corpus", "anki", "moses"]
"""How a file holds its pairs.

`corpus`: a line is Italian TAB English.
`anki`: a line is English TAB Italian, and an optional attribution; the form of manythings.org/anki.
`moses`: a `.zip` with one text file for each language, whose lines correspond; the form of OPUS.
`auto`: `moses` for such a `.zip`; else `anki` where attributions say so; else `corpus`, unless its words contradict.
"""
SUFFIXES = (".tsv", ".txt", ".tsv.gz", ".txt.gz", ".zip")
PEEK_LINES = 200
"""Lines that the layout is told by."""
CLEARLY = 4
"""Language evidence counts from so many lines on, and so many times the evidence against."""
UNREADABLE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError)
"""What the standard library raises on damaged, cut, encrypted or oddly packed files."""


def read_pairs(path: Path, layout: Layout = "auto") -> Iterator[Pair]:
    """The pairs of a file, plain, `.gz` or in a `.zip`, in its order; blank lines are left out.

    Raises:
        ConfigError: names the file, and the line where there is one, that cannot be read, or whose layout is not clear.
    """
    try:
        sides = _moses_sides(path) if layout in ("auto", "moses") and path.suffix == ".zip" else None
        if sides:
            yield from _read_moses(path, sides)
        elif layout == "moses":
            raise ConfigError(f"{path} is not a Moses archive: a .zip with one file ending in .it and one in .en")
        else:
            yield from _read_table(path, layout)
    except UNREADABLE as error:
        raise ConfigError(f"cannot read {path}: {error}") from error


def detect_layout(rows: Sequence[Sequence[str]], path: Path) -> Literal["corpus", "anki"]:
    """The layout that the first `rows` of a table show.

    Raises:
        ConfigError: they look like English TAB Italian without attributions; the person must say so.
    """
    if any(len(row) == 3 and row[2].startswith("CC-BY") for row in rows):
        return "anki"
    straight = sum(looks_like("it", row[0]) + looks_like("en", row[1]) for row in rows)
    crossed = sum(looks_like("en", row[0]) + looks_like("it", row[1]) for row in rows)
    if crossed >= CLEARLY and crossed > CLEARLY * straight:
        raise ConfigError(
            f"{path} looks like English TAB Italian; this program's tables are Italian TAB English. "
            "If it is a Tatoeba/Anki file, convert it: traghetto data fetch anki --url FILE"
        )
    return "corpus"


def _read_table(path: Path, layout: Layout) -> Iterator[Pair]:
    with _opened(path) as file:
        rows = _rows(path, file)
        first = list(itertools.islice(rows, PEEK_LINES))
        anki = (detect_layout(first, path) if layout == "auto" else layout) == "anki"
        for row in itertools.chain(first, rows):
            yield (row[1], row[0]) if anki else (row[0], row[1])


def _rows(path: Path, file: IO[bytes]) -> Iterator[list[str]]:
    """The columns of each line that is not blank, at least two."""
    for number, line in _lines(str(path), file):
        columns = line.split("\t")
        if len(columns) >= 2:
            yield columns
        elif line.strip():
            raise ConfigError(f"{path}, line {number}: not two sentences with a tab between them")


def _lines(name: str, file: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """Numbered lines without their ends. Bytes are decoded line by line, so that an error can name its line."""
    for number, raw in enumerate(file, 1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(f"{name}, line {number}: not UTF-8 text ({error.reason})") from error
        if "\0" in line:
            raise ConfigError(f"{name}, line {number}: binary data, not text")
        yield number, line.rstrip("\r\n")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a table: unpacked, and out of its archive."""
    if path.suffix == ".gz":
        with path.open("rb") as packed, gzip.GzipFile(fileobj=packed) as file:
            yield file  # type: ignore[misc]  # it reads lines as IO[bytes] does, but typeshed knows no relation
        return
    if path.suffix != ".zip":
        with path.open("rb") as plain:
            yield plain
        return
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith((".txt", ".tsv")) and "about" not in name.lower()]
        if len(names) != 1:
            raise ConfigError(f"{path} should hold one table, but holds {len(names)}: {', '.join(names) or 'none'}")
        with archive.open(names[0]) as member:
            yield member


def _moses_sides(path: Path) -> tuple[str, str] | None:
    """Names of the Italian and the English file in a Moses archive; None in any other."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    sides = [[name for name in names if name.endswith(suffix)] for suffix in (".it", ".en")]
    return (sides[0][0], sides[1][0]) if all(len(found) == 1 for found in sides) else None


def _read_moses(path: Path, sides: tuple[str, str]) -> Iterator[Pair]:
    with zipfile.ZipFile(path) as archive, archive.open(sides[0]) as italian, archive.open(sides[1]) as english:
        files = (_lines(f"{path}: {name}", file) for name, file in zip(sides, (italian, english), strict=True))
        for ours, theirs in itertools.zip_longest(*files):
            if ours is None or theirs is None:
                number = (ours or theirs)[0]
                raise ConfigError(f"{path}, line {number}: {sides[0]} and {sides[1]} differ in length")
            if ours[1].strip() or theirs[1].strip():
                yield ours[1], theirs[1]

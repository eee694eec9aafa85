"""What a model is evaluated on: held-out tables of a corpus, the project's own sets, or two files of lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.config import require
from model.errors import ConfigError
from training.config import DIRECTIONS
from training.data.assemble import HELD_OUT_SUFFIXES, stems
from training.data.ordinary import ordinary_tables
from training.data.pairs import read_pairs

SETS = Path(__file__).parents[1] / "sets"
"""The project's own sets: a folder for each direction."""
GENERAL, CHALLENGE, WORDS, TEXTS, ALIGNED = "general", "challenge", "words", "texts", "aligned"
USUAL = ("tatoeba.test", GENERAL, CHALLENGE, WORDS, TEXTS)
"""What is taken when no set is named; what is not there is told."""
WHERE_THERE_IS = ("general.dev",)
"""What is taken as well, if the corpus has it: text of another kind."""

Pairs = Sequence[tuple[str, str]]
"""Source and reference."""


@dataclass(frozen=True)
class Collection:
    """All pairs of the tables that belong together, such as `tatoeba.train`, `tatoeba.dev` and `tatoeba.test`."""

    training: Pairs
    held_out: Pairs


@dataclass(frozen=True)
class Corpus:
    """A folder of tables, read in the direction `pair`."""

    folder: Path
    pair: str

    def held_out(self) -> dict[str, Path]:
        """The tables that nobody trains on, by name."""
        return {name: path for name, path in stems(self.folder).items() if name.endswith(HELD_OUT_SUFFIXES)}

    def training(self) -> dict[str, Path]:
        """The tables that may be trained on, by name, those that come with the program too."""
        given = {name: path for name, path in stems(self.folder).items() if not name.endswith(HELD_OUT_SUFFIXES)}
        return ordinary_tables() | given

    def collection(self, name: str) -> Collection | None:
        """What belongs with a held-out table: all whose names begin alike, up to the point. None for other sets."""
        if name not in self.held_out():
            return None
        beginning = name.partition(".")[0] + "."
        found: tuple[list[tuple[str, str]], list[tuple[str, str]]] = [], []
        for stem, path in stems(self.folder).items():
            if stem.startswith(beginning):
                found[stem.endswith(HELD_OUT_SUFFIXES)].extend(read_table(path, self.pair))
        return Collection(*found)


def find_sets(
    pair: str, corpus: Corpus | None, names: Sequence[str], with_aligned: bool = False
) -> tuple[dict[str, Path], list[str]]:
    """The files of the sets that are named; if none is, of what is usual and there, and what is not there.

    Raises:
        ConfigError: a set that is named is not there, or none at all is; says which are.
    """
    known = available(pair, corpus, SETS)
    more = [name for name in WHERE_THERE_IS if name in known]
    wanted = names or (*USUAL, *more, *([ALIGNED] if with_aligned else []))
    missing = [name for name in wanted if name not in known]
    if missing and (names or len(missing) == len(wanted)):
        hint = "" if corpus else "; for those of a corpus give --data FOLDER or set TRAGHETTO_CORPUS_DIR"
        there = ", ".join(known) or "none at all"
        raise ConfigError(f"there is no set {', '.join(missing)} for {pair}; there are: {there}{hint}")
    return {name: known[name] for name in wanted if name in known}, [f"left out: no set {name}" for name in missing]


def available(pair: str, corpus: Corpus | None, sets: Path = SETS) -> dict[str, Path]:
    """All sets of a direction, by name, our own from `sets`. Pairs aligned by hand serve both directions."""
    own = {name: f"{pair}/{name}.tsv" for name in (GENERAL, CHALLENGE, WORDS, TEXTS)}
    held_out: dict[str, Path] = {}
    if pair in DIRECTIONS:
        own[ALIGNED] = "it-en/aligned.tsv"
        held_out = corpus.held_out() if corpus else {}
    return held_out | {name: sets / file for name, file in own.items() if (sets / file).is_file()}


def read_table(path: Path, pair: str) -> list[tuple[str, str]]:
    """Source and reference of every pair of a table of a corpus."""
    return [(english, italian) if pair == "en-it" else (italian, english) for italian, english in read_pairs(path)]


def read_general(path: Path) -> list[tuple[str, str]]:
    """The rows of `general.tsv`, which has the direction of its folder.

    Raises:
        ConfigError: as `read_rows`, and where a side is empty.
    """
    pairs = []
    for number, (source, reference) in read_rows(path, 2):
        require(bool(source and reference), f"{path}, line {number}: one side is empty")
        pairs.append((source, reference))
    return pairs


def read_rows(path: Path, columns: int) -> list[tuple[int, list[str]]]:
    """Numbered rows of a set of our own; lines at the top that begin with `#`, and blank ones, are left out.

    Raises:
        ConfigError: the file cannot be read, a row has another number of columns, or there is none.
    """
    rows: list[tuple[int, list[str]]] = []
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip() or (not rows and line.startswith("#")):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        require(len(cells) == columns, f"{path}, line {number}: {len(cells)} columns in place of {columns}")
        rows.append((number, cells))
    require(bool(rows), f"{path} holds no rows")
    return rows


def read_parallel(source: Path, reference: Path) -> list[tuple[str, str]]:
    """Two files of lines, side by side.

    Raises:
        ConfigError: they cannot be read, are empty, or differ in length.
    """
    sources, references = read_lines(source), read_lines(reference)
    counts = f"{source} has {len(sources)} lines, {reference} has {len(references)}"
    require(len(sources) == len(references), counts)
    require(bool(sources), f"{source} holds no lines")
    return list(zip(sources, references, strict=True))


def read_lines(path: Path) -> list[str]:
    """The lines of a text file; only a newline ends one.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    return [line.rstrip("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def expression(where: str, pattern: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """`pattern`, compiled.

    Raises:
        ConfigError: it is none; says `where`.
    """
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        raise ConfigError(f"{where}: {pattern!r} is not a regular expression: {error}") from error

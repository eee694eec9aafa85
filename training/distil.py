"""Sequence-level knowledge distillation (Kim & Rush 2016): a table of what a teacher says, for a student to learn.

For every source the teachers, as an ensemble, give the best few translations of a beam. Kept is the one that is
nearest to the reference (their section 3.3, sequence-level interpolation): the student is asked for what the
teacher can say, not for one of many human wordings that the source does not decide.
"""

from __future__ import annotations

import gzip
import itertools
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import track
from sacrebleu.metrics.chrf import CHRF

from model.config import SearchConfig, require
from model.errors import ConfigError
from model.routes import choose_device
from model.translator import Translator
from model.versions.card import Card
from model.versions.store import find
from training.data.assemble import HELD_OUT_SUFFIXES, stems
from training.data.ordinary import ordinary_tables
from training.data.pairs import Pair, held_out_keys, normalise_key, read_pairs
from training.evaluate import version_roots

CHUNK_PAIRS = 4000
"""Pairs translated and written at a time."""
BATCH_TOKENS = {"cpu": 2048, "cuda": 65536}
"""Source tokens of one batch, padding and beam included."""


@dataclass(frozen=True)
class DistilOptions:
    """What is translated, by whom, and which of the translations is kept."""

    pair: str
    teachers: Sequence[str] = ("default",)
    tables: Sequence[str] = ("tatoeba.train",)
    beam: int = 5
    keep: str = "nearest"
    """`nearest` to the reference by chrF, or `best` as the teachers see it."""
    limit: int | None = None
    """Only so many pairs of each table."""
    device: str = "auto"

    def __post_init__(self) -> None:
        require(self.keep in ("nearest", "best"), f"keep must be nearest or best, not {self.keep!r}")
        require(self.beam >= 1, "beam must be at least 1")


Work = Callable[[Sequence[Pair]], Sequence[Pair]]
Share = Callable[[Callable[[], Work], Sequence[Sequence[Pair]]], Iterable[Sequence[Pair]]]
"""How the work is shared: `make()` gives what is done with each chunk; results are in the order of the chunks."""


@dataclass(frozen=True)
class Lesson:
    """What a process needs to work on chunks of the tables; it can be sent to another machine."""

    options: DistilOptions
    held_out: tuple[set[str], set[str]]
    """Keys of sentences that must not occur, by side."""
    teachers: tuple[Card, ...]
    """What they are where the work was begun; other machines must have the same."""

    def load(self) -> Work:
        """Load the teachers; what is given back says what they make of a chunk.

        Raises:
            ConfigError: the teachers do not go together, or are other ones on this machine.
            VersionError: a teacher is missing or damaged.
        """
        options = self.options
        folders = _folders(options)
        for folder, wanted in zip(folders, self.teachers, strict=True):
            same = Card.read(folder).files == wanted.files
            about = f"{options.pair}/{wanted.version} of {socket.gethostname()}"
            require(same, f"{about} is another model than where the work was begun: its files have other hashes")
        batch_tokens = BATCH_TOKENS[choose_device(options.device)]
        teachers = Translator.load_together(folders, options.device, batch_tokens=batch_tokens)
        return partial(_kept, teachers, options, self.held_out)


def share_here(make: Callable[[], Work], chunks: Sequence[Sequence[Pair]]) -> Iterable[Sequence[Pair]]:
    """All is done in this process."""
    return map(make(), chunks)


def distil(options: DistilOptions, data: Path, out: Path, console: Console, share: Share = share_here) -> int:
    """Write a table (Italian TAB English) in which the side that `pair` translates into is the teachers'.

    Pairs that share a sentence with a held-out one are left out, before and after.

    Returns:
        the number of its pairs.

    Raises:
        ConfigError: a table is not in `data`, or the teachers do not go together.
        VersionError: a teacher is missing or damaged.
    """
    files = ordinary_tables() | stems(data)
    require(out.name.endswith(".tsv.gz"), f"{out}: the table is gzipped, so its name must end in .tsv.gz")
    require(out.resolve() not in {path.resolve() for path in files.values()}, f"{out} is a table of the corpus")
    missing = [name for name in options.tables if name not in files]
    require(not missing, f"{data} has no table {', '.join(missing)}")
    held = (read_pairs(path) for name, path in files.items() if name.endswith(HELD_OUT_SUFFIXES))
    teachers = tuple(Card.read(folder) for folder in _folders(options))
    lesson = Lesson(options, held_out_keys(itertools.chain.from_iterable(held)), teachers)
    pairs = [pair for name in options.tables for pair in itertools.islice(read_pairs(files[name]), options.limit)]
    chunks = [pairs[start : start + CHUNK_PAIRS] for start in range(0, len(pairs), CHUNK_PAIRS)]
    shared = share(lesson.load, chunks)
    out.parent.mkdir(parents=True, exist_ok=True)
    return _write(out, track(shared, "translating", total=len(chunks), console=console))


def _folders(options: DistilOptions) -> list[Path]:
    return [find(version_roots(), options.pair, name) for name in options.teachers]


def _write(out: Path, chunks: Iterable[Sequence[Pair]]) -> int:
    temporary = out.with_name(f".{out.name}.partial")
    written = 0
    with gzip.open(temporary, "wt", encoding="utf-8") as file:
        for pair in itertools.chain.from_iterable(chunks):
            file.write("\t".join(pair) + "\n")
            written += 1
    if not written:
        temporary.unlink()
        raise ConfigError("nothing is left to write: the tables are empty, or every pair is held out")
    temporary.replace(out)
    return written


def _kept(
    teachers: Translator, options: DistilOptions, keys: tuple[set[str], set[str]], pairs: Sequence[Pair]
) -> list[Pair]:
    source, target = (0, 1) if options.pair == "it-en" else (1, 0)
    usable = [pair for pair in pairs if normalise_key(pair[0]) not in keys[0] and normalise_key(pair[1]) not in keys[1]]
    search = SearchConfig(beam=options.beam, n_best=options.beam)
    kept: list[Pair] = []
    for pair, best in zip(usable, teachers.translate([pair[source] for pair in usable], search), strict=True):
        ranked = [one.text for one in (best, *best.alternatives) if not one.truncated]
        candidates = [text for text in ranked if text and normalise_key(text) not in keys[target]]
        if candidates:
            chosen = nearest(candidates, pair[target]) if options.keep == "nearest" else candidates[0]
            kept.append((pair[source], chosen) if source == 0 else (chosen, pair[source]))
    return kept


def nearest(candidates: Sequence[str], reference: str) -> str:
    """The candidate with the highest chrF against `reference`; of equal ones the first."""
    if reference in candidates:
        return reference
    metric = CHRF()
    return max(candidates, key=lambda text: metric.sentence_score(text, [reference]).score)

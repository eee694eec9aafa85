"""Scores the pairs of a corpus by two models, one for each direction: how unlikely each finds the other side."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from model.config import require
from model.kernels.malloc import keep_freed_memory
from model.network.seq2seq import Seq2Seq
from model.routes import choose_device
from model.versions.store import Version, find, load
from training.config import DIRECTIONS, TrainingConfig
from training.data.assemble import HELD_OUT_SUFFIXES, matching, stems
from training.data.noisy import pair_fingerprint
from training.data.ordinary import PREFIX
from training.data.pairs import Counts, Pair, clean, deduplicate, read_pairs
from training.evaluate import version_roots
from training.filtering.score_files import PART_PAIRS, Scores, claim, dual_of, part_path, read_part, write_part
from training.run.batching import Encoded
from training.run.likelihood import nats_per_token
from training.run.precision import fit_kernels

SUSPECTS = 0.2
"""The share of a part, worst dual score first, whose pairs are also scored with other pairs' sources."""
STRANGER_RANKS = 13
"""How far such a pair is in the order of length: next to it there may be nearly the same sentence again."""


@dataclass(frozen=True)
class ScoreOptions:
    """What is scored, by whom, and for how long."""

    tables: Sequence[str] = ()
    """Names or patterns of tables; empty: all that the settings name."""
    versions: tuple[str | None, str | None] = (None, None)
    """Of it-en and en-it; None: the current one."""
    sample: int = 0
    """Only so many pairs of each table, those of the lowest fingerprints; 0: all."""
    max_minutes: float = 0.0
    """Stop after this time, to go on later; 0: no limit."""
    threads: int = 1
    device: str = "auto"


class OutOfTime(Exception):
    """The limit of minutes is reached; what is written stays."""


@dataclass(frozen=True)
class _Part:
    """Some pairs of a table, and where their scores go."""

    table: str
    path: Path
    pairs: Sequence[Pair]
    of: int


def score(config: TrainingConfig, data: Path, out: Path, options: ScoreOptions, console: Console) -> int:
    """Score every pair that cleaning keeps, table by table, and write the scores to `out`; see `score_files`.

    Parts that are there already are left alone, so that the same command goes on after Ctrl-C or `max_minutes`.

    Returns:
        the number of pairs that are left to score.

    Raises:
        ConfigError: a table is not there, or `out` holds scores that depend on something else.
        VersionError: a version is missing or damaged.
    """
    deadline = time.monotonic() + options.max_minutes * 60 if options.max_minutes else float("inf")
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    scorers = _scorers(config, options)
    depends_on = {
        "versions": [scorer.name for scorer in scorers],
        "max_tokens": config.data.max_tokens,
        "clean": config.data.clean.to_dict(),
        "sample": options.sample,
    }
    claim(out, depends_on)
    parts = [part for part in _parts(config, data, out, options, console) if not _is_done(part)]
    left = sum(len(part.pairs) for part in parts)
    try:
        for part, step in _shown(parts, console):

            def each_batch(pairs: int, step: Callable[[int], None] = step) -> None:
                step(pairs)
                if time.monotonic() > deadline:
                    raise OutOfTime

            write_part(part.path, _score(part.pairs, scorers, each_batch), part.of)
            left -= len(part.pairs)
    except (OutOfTime, KeyboardInterrupt):
        console.print("stopped; the same command goes on")
    return left


@dataclass(frozen=True)
class _Scorer:
    """A model for one direction."""

    name: str
    version: Version
    max_tokens: int

    def encode(self, pair: Pair) -> Encoded | None:
        """Ids in the direction of the model; None for a pair that training leaves out, for its length."""
        source, target = pair if self.version.card.pair == "it-en" else pair[::-1]
        ids = Encoded(self.version.source.encode(source), self.version.target.encode(target))
        return ids if all(0 < len(side) <= self.max_tokens for side in ids) else None


def _scorers(config: TrainingConfig, options: ScoreOptions) -> list[_Scorer]:
    device, found = choose_device(options.device), []
    for pair, version in zip(DIRECTIONS, options.versions, strict=True):
        loaded = load(find(version_roots(), pair, version))
        loaded.model.to(device)
        fit_kernels(loaded.model, config.loop.precision)
        weights = loaded.card.files["model.safetensors"]
        found.append(_Scorer(f"{pair}/{loaded.card.version} {weights}", loaded, config.data.max_tokens))
    return found


def usable_pairs(path: Path, config: TrainingConfig) -> Iterator[Pair]:
    """The pairs of a table that cleaning keeps, each once. What another table has too is scored with both."""
    counts = Counts()
    return deduplicate(clean(read_pairs(path), counts, config.data.clean), set(), counts)


def _parts(config: TrainingConfig, data: Path, out: Path, options: ScoreOptions, console: Console) -> Iterator[_Part]:
    files = stems(data)
    named = (pattern for group in config.data.groups.values() for pattern in group)
    patterns = options.tables or [pattern for pattern in named if not pattern.startswith(PREFIX)]
    for table in matching(files, patterns, data):
        require(not table.endswith(HELD_OUT_SUFFIXES), f"{table} is held out")
        with console.status(f"reading {table}"):
            pairs = list(usable_pairs(files[table], config))
        if options.sample:
            pairs = sorted(pairs, key=pair_fingerprint)[: options.sample]
        for number, start in enumerate(range(0, len(pairs), PART_PAIRS)):
            yield _Part(table, part_path(out, table, number), pairs[start : start + PART_PAIRS], len(pairs))


def _is_done(part: _Part) -> bool:
    """Whether the scores there are those of these pairs: the table may have changed."""
    if not part.path.exists():
        return False
    scores, of = read_part(part.path)
    return of == part.of and scores.fingerprints.tolist() == [pair_fingerprint(pair) for pair in part.pairs]


def _score(pairs: Sequence[Pair], scorers: Sequence[_Scorer], each_batch: Callable[[int], None]) -> Scores:
    encoded = [[scorer.encode(pair) for scorer in scorers] for pair in pairs]
    rows = np.array([row for row, both in enumerate(encoded) if None not in both], dtype=np.int64)
    ids = [[one for row in rows if (one := encoded[row][number]) is not None] for number in range(len(scorers))]
    each_batch(len(scorers) * (len(pairs) - len(rows)))
    models = [scorer.version.model for scorer in scorers]
    nats = np.array([nats_per_token(model, own, each_batch) for model, own in zip(models, ids, strict=True)])
    nats = nats.astype(np.float32)
    tokens = np.array([max(map(len, both)) for both in ids[0]], dtype=np.uint16)
    worst = np.argsort(-dual_of(*nats), kind="stable")[: math.ceil(SUSPECTS * len(rows)) if len(rows) > 1 else 0]
    gain = np.full(len(rows), np.nan, dtype=np.float32)
    gain[worst] = np.mean([_crossed(model, own, tokens, worst) for model, own in zip(models, ids, strict=True)], axis=0)
    gain[worst] -= nats[:, worst].mean(axis=0)

    fingerprints = np.array([pair_fingerprint(pair) for pair in pairs], dtype=np.uint64)
    columns = [np.full(len(pairs), math.nan, dtype=np.float16) for _ in range(3)]
    for column, values in zip(columns, (*nats, gain), strict=True):
        column[rows] = values
    of_all = np.zeros(len(pairs), dtype=np.uint16)
    of_all[rows] = tokens
    return Scores(fingerprints, columns[0], columns[1], columns[2], of_all)


def _crossed(
    model: Seq2Seq, ids: Sequence[Encoded], tokens: NDArray[np.uint16], rows: NDArray[np.int64]
) -> list[float]:
    """Nats a token of the targets of `rows` given the sources of other pairs, about as long."""
    order = np.argsort(tokens, kind="stable").tolist()
    place = {row: rank for rank, row in enumerate(order)}
    ranks = min(STRANGER_RANKS, len(order) - 1)
    others = {row: order[(place[row] + ranks) % len(order)] for row in rows.tolist()}
    return nats_per_token(model, [Encoded(ids[other].source, ids[row].target) for row, other in others.items()])


def _shown(parts: Sequence[_Part], console: Console) -> Iterator[tuple[_Part, Callable[[int], None]]]:
    """Each part, and what is to be told of pairs done in a direction; the bar counts characters, which cost alike."""
    sizes = [sum(len(italian) + len(english) for italian, english in part.pairs) for part in parts]
    columns = (
        TextColumn("[bold]{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(elapsed_when_finished=True),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("scoring", total=sum(sizes))
        for part, size in zip(parts, sizes, strict=True):
            bar.update(task, description=part.table)
            each = size / (len(DIRECTIONS) * len(part.pairs))

            def step(pairs: int, each: float = each) -> None:
                bar.advance(task, pairs * each)

            yield part, step
            if not console.is_terminal:
                console.print(f"{part.table}: {len(part.pairs):,} of {part.of:,}", highlight=False)

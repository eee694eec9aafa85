"""Settings + a data folder -> the training groups and the dev pairs of a run, in its direction."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from model.config import require
from model.errors import ConfigError
from training.config import DataSettings, TrainingConfig
from training.data import noisy
from training.data.ordinary import PREFIX, ordinary_tables
from training.data.pairs import (
    STEPS,
    SUFFIXES,
    Counts,
    Pair,
    choose_held_out,
    clean,
    deduplicate,
    fingerprint,
    held_out_keys,
    only_2018,
    read_pairs,
    without_held_out,
)  # fmt: skip
from training.data.sources import describe

HELD_OUT_SUFFIXES = (".dev", ".test")
"""Files whose names end so are never trained on, nor is any pair that shares a sentence with theirs."""

Keys = tuple[set[str], set[str]]
"""Normalised Italian and English sentences."""
Tables = dict[tuple[str, str], list[Pair]]
"""(group, file) -> its usable pairs."""


@dataclass(frozen=True)
class Corpus:
    """What a run is given, as (source, target)."""

    groups: dict[str, list[tuple[str, str]]]
    dev: list[tuple[str, str]]
    counts: dict[str, Any]
    """File -> what each cleaning step took; goes into the card."""
    sources: dict[str, dict[str, str]]
    """File -> its hash, and its licence and origin where they are known; goes into the card."""
    more_dev: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Name -> pairs of `data.more_dev`."""

    def side(self, side: int) -> Iterator[str]:
        """All training sentences of a side: 0 the source, 1 the target."""
        return (pair[side] for pairs in self.groups.values() for pair in pairs)


def stems(folder: Path) -> dict[str, Path]:
    """The tables of a data folder by name without suffix."""
    found = {}
    for path in sorted(folder.iterdir()):
        suffix = next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), None)
        if suffix:
            found[path.name.removesuffix(suffix)] = path
    return found


def assemble(config: TrainingConfig, folder: Path, console: Console) -> Corpus:
    """Read, clean, de-duplicate and split what `config` names, and show the table of what each step kept.

    The tables are those of `folder` and those that come with the program.

    Raises:
        ConfigError: a pattern matches no file, a file cannot be read, or nothing is left.
    """
    files = ordinary_tables() | stems(folder)
    held = {name: list(read_pairs(path)) for name, path in files.items() if name.endswith(HELD_OUT_SUFFIXES)}
    keys = held_out_keys(itertools.chain.from_iterable(held.values()))
    counts: dict[str, Counts] = {}
    tables = _tables(config.data, files, folder, keys, counts)
    dev = held.get(config.data.dev, [])
    if config.data.dev:
        require(bool(dev), f"{folder} has no dev file {config.data.dev}; set data.hold_out_per_mille in its place")
    else:
        dev = _hold_out(tables, config.data.hold_out_per_mille, counts)
    groups: dict[str, list[Pair]] = {group: [] for group in config.data.groups}
    for (group, name), pairs in tables.items():
        counts[name].kept += len(pairs)
        groups[group] += pairs
    if not dev or not any(groups.values()):
        raise ConfigError(f"nothing is left to train on or to score: {len(dev)} dev pairs, groups {_sizes(groups)}")
    console.print(table(counts))
    return in_direction(
        Corpus(
            groups,
            dev,
            {name: count.to_dict() for name, count in counts.items()},
            {name: describe(name, files[name]) for name in counts},
            _more_dev(config.data, held, folder),
        ),
        config,
    )


def in_direction(corpus: Corpus, config: TrainingConfig) -> Corpus:
    """`corpus`, of (Italian, English), as a run by `config` reads it: its direction, groups and dev size."""
    turn = turned if config.pair == "en-it" else list
    groups = {name: [] if name in config.unused_groups else turn(pairs) for name, pairs in corpus.groups.items()}
    size = config.loop.eval_sentences
    more = {name: turn(pairs)[:size] for name, pairs in corpus.more_dev.items()}
    return replace(corpus, groups=groups, dev=turn(corpus.dev)[:size], more_dev=more)


def _more_dev(settings: DataSettings, held: dict[str, list[Pair]], folder: Path) -> dict[str, list[Pair]]:
    missing = sorted(name for name in settings.more_dev if not held.get(name))
    require(not missing, f"{folder} has no dev file {', '.join(missing)}; data.more_dev names held-out files only")
    return {name: held[name] for name in settings.more_dev}


def _tables(
    settings: DataSettings, files: dict[str, Path], folder: Path, keys: Keys, counts: dict[str, Counts]
) -> Tables:
    """Read what the groups name, in their order; `counts` gets an entry for each file."""
    seen: set[Pair] = set()
    known_noisy = noisy.read_list(noisy.LIST) if settings.drop_noisy else frozenset()
    tables: Tables = {}
    for group, patterns in settings.groups.items():
        for name in matching(files, patterns, folder):
            count = counts.setdefault(name, Counts())  # two groups may name a file; the second gets duplicates only
            pairs = _usable(read_pairs(files[name]), keys, seen, count, settings)
            tables[group, name] = list(noisy.without_noisy(pairs, known_noisy, count) if known_noisy else pairs)
    return tables


def _usable(
    pairs: Iterable[Pair], keys: Keys, seen: set[Pair], counts: Counts, settings: DataSettings
) -> Iterator[Pair]:
    kept = without_held_out(deduplicate(clean(pairs, counts, settings.clean), seen, counts), keys, counts)
    return only_2018(kept, counts) if settings.only == "six-prefixes" else kept


def _hold_out(tables: Tables, per_mille: int, counts: dict[str, Counts]) -> list[Pair]:
    """Take the dev pairs out of all `tables` at once, and what shares a sentence with any of them."""
    dev: list[Pair] = []
    for (group, name), pairs in tables.items():
        tables[group, name], held = choose_held_out(pairs, per_mille)
        counts[name].dropped["dev"] += len(held)
        dev += held
    keys = held_out_keys(dev)
    for (group, name), pairs in tables.items():
        tables[group, name] = list(without_held_out(pairs, keys, counts[name]))
    # in an order that says nothing, since only the first `eval_sentences` are scored
    return sorted(set(dev), key=lambda pair: fingerprint("\t".join(pair)))


def matching(files: dict[str, Path], patterns: Sequence[str], folder: Path) -> list[str]:
    """Names of the training tables that match `patterns`, in their order, each once.

    Raises:
        ConfigError: a pattern matches none.
    """
    names: dict[str, None] = {}
    for pattern in patterns:
        found = [name for name in files if matches(name, pattern) and not name.endswith(HELD_OUT_SUFFIXES)]
        where = "no table of the program" if pattern.startswith(PREFIX) else f"no file in {folder}"
        require(bool(found), f"{where} matches {pattern!r}")
        names |= dict.fromkeys(found)
    return list(names)


def matches(name: str, pattern: str) -> bool:
    """Whether a table's name is of `pattern`, in which `*` stays in the folder: `ordinary/letters` is not of `*`."""
    return name.count("/") == pattern.count("/") and fnmatch(name, pattern)


def turned(pairs: Iterable[Pair]) -> list[tuple[str, str]]:
    """(Italian, English) -> (English, Italian)."""
    return [(english, italian) for italian, english in pairs]


def _sizes(groups: dict[str, list[Pair]]) -> str:
    return ", ".join(f"{name} {len(pairs)}" for name, pairs in groups.items())


def table(counts: dict[str, Counts]) -> Table:
    """What each step took of each file, for people."""
    shown = Table(title="pairs")
    shown.add_column("file")
    for name in ("read", *STEPS, "kept"):
        shown.add_column(name, justify="right")
    total = Counts()
    for name, count in [*counts.items(), ("all", total)]:
        shown.add_row(name, f"{count.read:,}", *(f"{count.dropped[step]:,}" for step in STEPS), f"{count.kept:,}")
        total.read, total.kept = total.read + count.read, total.kept + count.kept
        for step in STEPS:
            total.dropped[step] += count.dropped[step]
    return shown

"""What a model is reminded of while it learns corrections: sentences of the kind that it was trained on.

The corpus, where there is one; else sentences that users allowed to keep, with the tables that come with the program.
These are of Italian and English: with another pair there may be nothing, and then the weights are held where they are.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.errors import ConfigError
from model.versions.card import Card
from training.config import DIRECTIONS, TrainingConfig
from training.data.assemble import HELD_OUT_SUFFIXES, matches, stems, turned
from training.data.cleaning import Counts, clean
from training.data.ordinary import FOLDER, ordinary_tables
from training.data.pairs import Pair, held_out_keys, read_pairs, without_held_out
from training.data.prepared import read_prepared
from training.scoring.sets import SETS, read_general, read_table

SAMPLE = "replay.tsv"
PAIRS = 8000
"""Replayed pairs that are drawn, of a corpus or of our own tables; a retraining of 500 corrections uses some 12,000."""
OURS = 0.5
"""Share of the tables that come with the program beside a corpus, where the settings name both."""

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Replay:
    """Pairs in the direction of the model, and where they come from."""

    pairs: Pairs
    origin: str
    """For the card and for people."""


def find_replay(card: Card, data: Path | None, consented: Path | None, seed: int, sets: Path = SETS) -> Replay:
    """What there is to replay for the version of `card`.

    Args:
        card: of the version that is retrained; its settings say which tables it was trained on.
        data: folder of the corpus or prepared set.
        consented: JSONL of `source_text` and `translation`, logged with consent.
        seed: of the draw.
        sets: folder whose `PAIR/replay.tsv`, if it has one, takes the place of the tables that come with the program.

    Raises:
        ConfigError: `data` is given and cannot be used.
    """
    rng = random.Random(f"{seed}/replay")
    if data is not None:
        return _of_corpus(card, data, rng)
    logged = _logged(consented) if consented is not None and consented.exists() else []
    sample = sets / card.pair / SAMPLE
    brought = sample.is_file()
    more: Pairs = read_general(sample) if brought else _ordinary(card.pair, rng)
    whose = f"of {sample.name}" if brought else "that come with the program"
    counted = ((len(logged), "sentences logged with consent"), (len(more), whose))
    return Replay([*logged, *more], " and ".join(f"{count} {what}" for count, what in counted if count) or "none")


def _ordinary(pair: str, rng: random.Random) -> Pairs:
    if pair not in DIRECTIONS:
        return []
    return _some([one for path in ordinary_tables().values() for one in read_table(path, pair)], PAIRS, rng)


def _of_corpus(card: Card, data: Path, rng: random.Random) -> Replay:
    config = _settings(card)
    if not data.is_dir():
        if config is None:
            raise ConfigError(f"{data} is no folder, and the card of {card.pair}/{card.version} has no settings for it")
        groups = read_prepared(data, config).groups
        shares = config.phases[0].shares
        total = sum(shares.values())
        drawn = [pair for name, share in shares.items() for pair in _some(groups[name], PAIRS * share / total, rng)]
        return Replay(drawn, f"{len(drawn)} pairs of {data.name}")
    tables = _tables(config, data)
    held = [path for name, path in stems(data).items() if name.endswith(HELD_OUT_SUFFIXES)]
    keys = held_out_keys(pair for path in held for pair in read_pairs(path))
    chosen = [
        pair
        for paths, share in tables
        for pair in _some([pair for path in paths for pair in read_pairs(path)], PAIRS * share, rng)
    ]
    counts = Counts()
    usable = list(without_held_out(clean(chosen, counts), keys, counts))
    if not usable:
        raise ConfigError(f"{data} has nothing to replay")
    ours = any(FOLDER in path.parents for paths, _ in tables for path in paths)
    origin = f"{len(usable)} pairs of {data.name}{' and of what comes with the program' if ours else ''}"
    return Replay(turned(usable) if card.pair == "en-it" else usable, origin)


def _tables(config: TrainingConfig | None, data: Path) -> list[tuple[list[Path], float]]:
    """Tables and their share: the groups of the settings that are there, as in the first phase; else all alike.

    The tables that come with the program, where the settings name them, have half, and those of `data` the rest: what
    the gate looks at is nearer to them, and with the share of the training 50 corrections passed only at 42 %.
    """
    found = {name: path for name, path in stems(data).items() if not name.endswith(HELD_OUT_SUFFIXES)}
    if config is not None:
        there, ours = (_groups(config, files) for files in (found, ordinary_tables()))
        if there and ours:
            parts = (ours, OURS), (there, 1 - OURS)
            return [(paths, part * share) for groups, part in parts for paths, share in groups]
        if there:
            return there
    if not found:
        raise ConfigError(f"{data} has no tables to replay")
    return [([path], 1 / len(found)) for path in found.values()]


def _groups(config: TrainingConfig, files: dict[str, Path]) -> list[tuple[list[Path], float]]:
    """The groups that have some of `files`, with their shares of the first phase, 1 together."""
    named = ((_matching(files, config.data.groups[name]), share) for name, share in config.phases[0].shares.items())
    there = [(paths, share) for paths, share in named if paths]
    total = sum(share for _, share in there)
    return [(paths, share / total) for paths, share in there]


def _matching(found: dict[str, Path], patterns: Iterable[str]) -> list[Path]:
    return [path for name, path in found.items() if any(matches(name, pattern) for pattern in patterns)]


def _settings(card: Card) -> TrainingConfig | None:
    """The settings of the training that the version or its first ancestor came from, if its card has them whole."""
    values = {name: value for name, value in card.settings.items() if name not in ("max_source_tokens", "adaptation")}
    try:
        return TrainingConfig.from_dict(values)
    except ConfigError:
        return None


def _some(pairs: Sequence[Pair], count: float, rng: random.Random) -> list[Pair]:
    return rng.sample(pairs, min(len(pairs), round(count)))


def _logged(path: Path) -> list[tuple[str, str]]:
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return [(row["source_text"], row["translation"]) for row in rows]

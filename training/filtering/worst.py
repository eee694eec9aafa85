"""The pairs with the worst scores of each table: to look at, and to put on the list of those that training drops.

Two conditions, for each catches what the other lets through: a dual cross-entropy among the worst of the table, and no
gain from the other side. Alone, the first is met by rare words and free translations, the second by repetitions.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from model.config import require
from training.data.assemble import stems
from training.data.noisy import pair_fingerprint
from training.data.pairs import Pair, read_pairs, tidy
from training.filtering.score_files import Scores, read_manifest, read_table, scored_tables

WORDS = ("dictionary*", "*_names", "*_terms", "geo_places_elements", "osm_map_features")
"""Tables of words and names: a word alone has many translations, and what is a rare one is not a wrong one."""
MIN_TOKENS = 8
MAX_GAIN = 0.3
"""Nats a token. By eye, about half of the pairs below are wrong in whole or in part, and most above are free ones."""


@dataclass(frozen=True)
class Cut:
    """How much of each table goes."""

    share: float = 0.0
    """Of a table's scored pairs, where `shares` has no other and it is none of `WORDS`."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Table -> share."""
    max_gain: float = MAX_GAIN
    """Pairs that gain more than this from their own other side stay, in nats a token; infinite: the share alone."""
    min_tokens: int = MIN_TOKENS
    """Pairs whose longer side is shorter stay: a mean over so few tokens says little."""

    def __post_init__(self) -> None:
        for share in (self.share, *self.shares.values()):
            require(0 <= share < 1, f"a share must be in [0, 1), not {share}")

    def of(self, table: str) -> float:
        """The share of a table."""
        words = any(fnmatch(table, pattern) for pattern in WORDS)
        return self.shares.get(table, 0.0 if words else self.share)


@dataclass(frozen=True)
class Worst:
    """The worst of one table, those that gain least first."""

    table: str
    scores: Scores
    judged: int
    """Of how many pairs."""
    whole: bool
    """Whether every pair of the table was scored."""


def find_worst(folder: Path, cut: Cut) -> Iterator[Worst]:
    """The worst pairs of each table that is scored in `folder` and of which something goes.

    Raises:
        ConfigError: it is no folder of scores, one is damaged, or a table that `cut` names has none.
    """
    sampled = bool(read_manifest(folder)["sample"])
    tables = scored_tables(folder)
    unknown = sorted(cut.shares.keys() - set(tables))
    require(not unknown, f"{folder} has no scores of {', '.join(unknown)}")
    for table in tables:
        if cut.of(table):
            scores, whole = read_table(folder, table)
            rows = np.flatnonzero((scores.tokens >= cut.min_tokens) & np.isfinite(scores.dual))
            order = rows[np.argsort(-scores.dual[rows], kind="stable")]
            worst = scores[order[: round(cut.of(table) * len(order))]]
            if cut.max_gain < math.inf:
                worst = worst[np.argsort(worst.gain, kind="stable")]
                worst = worst[worst.gain <= cut.max_gain]  # NaN, which was not measured, is not
            yield Worst(table, worst, len(order), whole and not sampled)


def texts(data: Path, table: str, fingerprints: Collection[int]) -> dict[int, Pair]:
    """The pairs of a table by their fingerprints.

    Raises:
        ConfigError: there is no such table in `data`.
    """
    files = stems(data)
    require(table in files, f"{data} has no table {table}")
    pairs = ((tidy(italian), tidy(english)) for italian, english in read_pairs(files[table]))
    return {number: pair for pair in pairs if (number := pair_fingerprint(pair)) in fingerprints}


def spread(worst: Worst, count: int) -> list[int]:
    """At most `count` rows of `worst`, from the first to the last at even distances: those at the cut count most."""
    if count >= len(worst.scores):
        return list(range(len(worst.scores)))
    return sorted({round(row) for row in np.linspace(0, len(worst.scores) - 1, count)})

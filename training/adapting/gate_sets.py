"""The sets by which the gate judges a candidate, each by itself and all of them together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model.config import require
from model.errors import ConfigError
from model.versions.card import Card
from training.config import LoopSettings
from training.scoring.challenge import Item, read_challenge
from training.scoring.sets import CHALLENGE, GENERAL, SETS, Corpus, available, read_general, read_table

DEV, ENOUGH_OF_DEV = "tatoeba.dev", 200
TOGETHER = "total"
"""Name of all of them as one; in the singular, since verdicts begin with it."""


@dataclass(frozen=True)
class GateSet:
    """A set that must not be lost on."""

    name: str
    sources: list[str]
    references: list[list[str]]
    """All right translations of each; those without any are checked by `items` alone."""
    items: list[Item] = field(default_factory=list)

    @property
    def sha256(self) -> str:
        """Of its sentences: sums go on only where they are the same."""
        return hashlib.sha256(json.dumps([self.sources, self.references]).encode()).hexdigest()


def gate_sets(
    pair: str, data: Path | None, sets: Path = SETS, chosen_by: int = LoopSettings.eval_sentences
) -> list[GateSet]:
    """The sets of a pair: our own, and the corpus's dev set when there is a folder with one.

    Args:
        chosen_by: sentences at the beginning of the dev set by which the weights were chosen.

    Raises:
        ConfigError: `sets` is a folder of somebody else's and lacks one of the two; or there is no set at all, and
            everything would pass.
    """
    missing = [f"{pair}/{name}.tsv" for name in (GENERAL, CHALLENGE) if not (sets / pair / f"{name}.tsv").is_file()]
    if missing and sets != SETS:
        raise ConfigError(f"there is no {' and no '.join(missing)}: the gate would have nothing to look at", sets)
    paths = available(pair, Corpus(data, pair) if data is not None and data.is_dir() else None, sets)
    found = []
    if CHALLENGE in paths:
        items = read_challenge(paths[CHALLENGE])
        found.append(GateSet(CHALLENGE, [item.source for item in items], [list(item.answers) for item in items], items))
    if GENERAL in paths:
        found.append(_plain(GENERAL, read_general(paths[GENERAL])))
    if DEV in paths:
        found.append(_plain(DEV, _unbiased(read_table(paths[DEV], pair), chosen_by)))
    require(bool(found), f"there is no set for {pair} that a candidate could be judged by: --sets FOLDER names yours")
    return found


def eval_sentences(card: Card) -> int:
    """Sentences at the beginning of the dev set by which training chose the weights of `card`."""
    loop = card.settings.get("loop")
    found = loop.get("eval_sentences") if isinstance(loop, dict) else None
    return found if isinstance(found, int) and found > 0 else LoopSettings.eval_sentences


def _unbiased(pairs: list[tuple[str, str]], chosen_by: int) -> list[tuple[str, str]]:
    """Those of a dev set by which training did not choose its best moment, if they are enough; else the others.

    On the others the version that serves was lucky, or it would be another; whatever comes after it seems worse.
    """
    return pairs[chosen_by:] if len(pairs) >= chosen_by + ENOUGH_OF_DEV else pairs[:chosen_by]


def together(gates: Sequence[GateSet]) -> GateSet:
    """The sentences of all of them, with translations, as one set."""
    sources = [source for gate in gates for source in gate.sources]
    return GateSet(TOGETHER, sources, [references for gate in gates for references in gate.references])


def _plain(name: str, pairs: Sequence[tuple[str, str]]) -> GateSet:
    return GateSet(name, [source for source, _ in pairs], [[reference] for _, reference in pairs])

"""How good a version is, for people who never heard of BLEU: a few numbers of its card.

A card is a file, and anybody may have written it: what it lacks, or says oddly, is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.settings import Settings
from app.versions.store import model_roots
from model.errors import ModelError
from model.versions import store
from model.versions.card import Card

SETS = {"everyday": "tatoeba.test", "general": "general"}
"""What people call a set of sentences, and what the card calls it."""
TRAPS, SHOWN, ENOUGH = "challenge", 3, 10
"""What the card calls them; of how many kinds is told; and how many items a kind must have for that."""


@dataclass(frozen=True, slots=True)
class Score:
    """BLEU on a set, 0 to 100."""

    value: float
    sentences: int
    interval: tuple[float, float] | None
    """95 %."""


@dataclass(frozen=True, slots=True)
class Passed:
    """Of so many items, so many were right."""

    name: str
    passed: int
    items: int

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.passed / self.items


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one version."""

    source: str
    target: str
    version: str
    bleu: Mapping[str, Score]
    """By the names of `SETS`."""
    traps: Passed | None
    """Sentences that are made to go wrong."""
    weak: tuple[Passed, ...]
    """The kinds of them that go worst, the worst first..."""
    strong: tuple[Passed, ...]
    """... and best."""


def quality_of(settings: Settings, pair: str, version: str) -> Quality | None:
    """The quality of a version; None where the card has no number, or there is none. Reads a file."""
    try:
        card = Card.read(store.find(model_roots(settings), pair, version))
    except (ModelError, OSError):
        return None
    bleu = {name: score for name, of_card in SETS.items() if (score := _score(card, of_card)) is not None}
    traps = _passed(TRAPS, card.scores.get(TRAPS))
    kinds = sorted(_phenomena(card), key=lambda one: (one.share, one.name))
    source, target = pair.split("-")
    if not bleu and traps is None:
        return None
    return Quality(source, target, version, bleu, traps, tuple(kinds[:SHOWN]), tuple(reversed(kinds[-SHOWN:])))


def _score(card: Card, name: str) -> Score | None:
    found = card.scores.get(name)
    if not isinstance(found, dict) or not _is_share(found.get("bleu"), 100):
        return None
    sentences, interval = found.get("sentences"), found.get("bleu_interval")
    sure = isinstance(interval, list) and len(interval) == 2 and all(_is_share(one, 100) for one in interval)
    low_high = (interval[0], interval[1]) if sure and interval else None
    return Score(found["bleu"], sentences if isinstance(sentences, int) else 0, low_high)


def _phenomena(card: Card) -> Iterator[Passed]:
    traps = card.scores.get(TRAPS)
    kinds = traps.get("phenomena") if isinstance(traps, dict) else None
    found = (_passed(name, one) for name, one in kinds.items()) if isinstance(kinds, dict) else ()
    yield from (one for one in found if one is not None and one.items >= ENOUGH)


def _passed(name: str, found: Any) -> Passed | None:
    if not isinstance(found, dict):
        return None
    items, passed = found.get("items"), found.get("passed")
    if not isinstance(items, int) or items < 1 or not _is_share(passed, items):
        return None
    return Passed(name, int(found["passed"]), items)


def _is_share(value: Any, most: float) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and 0 <= value <= most

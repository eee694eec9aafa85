"""How good a version is, for people who never heard of BLEU: a few numbers of what its card says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.settings import Settings
from app.versions.description import Checked, Kind, Score, challenge_of, scores_of, strong_kinds, weak_kinds
from app.versions.registry import descent
from app.versions.store import model_roots
from model.versions.card import Card

SETS = {"everyday": "tatoeba.test", "general": "general"}
"""What people call a set of sentences, and what the card calls it."""
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one version."""

    source: str
    target: str
    version: str
    scores: Mapping[str, Score]
    """By the names of `SETS`; each has BLEU and a number of sentences."""
    traps: Checked | None
    """Sentences that are made to go wrong."""
    weak: list[Kind]
    """The kinds of them that go worst, the worst first..."""
    strong: list[Kind]
    """... and best."""


def quality_of(settings: Settings, pair: str, version: str) -> Quality | None:
    """The quality of a version, or of the nearest that it was made from of which the card has numbers: what a
    retraining makes is only compared with that one. None where there is none. Reads files."""
    cards = descent(model_roots(settings), pair, version)
    return next((found for card in cards if (found := _of_card(card)) is not None), None)


def _of_card(card: Card) -> Quality | None:
    known = {score.set: score for score in scores_of(card) if score.bleu is not None and score.sentences}
    scores = {name: known[of_card] for name, of_card in SETS.items() if of_card in known}
    traps = challenge_of(card)
    if not scores and traps is None:
        return None
    source, _, target = card.pair.partition("-")
    return Quality(source, target, card.version, scores, traps, weak_kinds(traps)[:SHOWN], strong_kinds(traps)[:SHOWN])

"""The last full training behind a version: what may be lost against it, however many promotions lie between.

Each promotion may lose a little against the version before, and the gate cannot tell that little from chance; fifty of
them may lose a lot. So the card of every candidate says which full training it goes back to, and how far from it
it has come on each set; and where that version is still there, the distance is measured anew each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.errors import VersionError
from model.versions import store
from model.versions.card import Card
from model.versions.store import WEIGHTS

GATE, ANCHOR, ADAPTATION = "gate", "anchor", "adaptation"


@dataclass(frozen=True)
class Anchor:
    """A version that was not made by adaptation, and how far one that was has come from it."""

    version: str
    sha256: str
    """Of its weights; empty if no card says it."""
    folder: Path | None
    """None: it is gone, or another version has its name now."""
    drift: Mapping[str, float]
    """Set -> BLEU points gained since, negative if lost, by the cards. A set that no card names is not in it."""
    sets: Mapping[str, str] = field(default_factory=dict)
    """Set -> SHA-256 of the sentences that `drift` was measured on; cards from before that was recorded have none."""

    def drift_on(self, name: str, sha256: str) -> float:
        """`drift` of a set with these sentences: 0 if it was measured on others, whose points cannot be added."""
        return self.drift.get(name, 0.0) if self.sets.get(name, sha256) == sha256 else 0.0

    def record(self, drift: Mapping[str, float], sets: Mapping[str, str]) -> dict[str, Any]:
        """For the card of a candidate that has come so far; sets that were not there this time stay as they were.

        Args:
            sets: name -> SHA-256 of its sentences, of those in `drift`.
        """
        measured = {name: sets[name] for name in drift}
        return {
            "version": self.version,
            "sha256": self.sha256,
            "drift": {**self.drift, **drift},
            "sets": {**self.sets, **measured},
        }


def find_anchor(card: Card, roots: Sequence[Path]) -> Anchor:
    """The anchor of the version of `card`: itself, or the nearest ancestor that was trained in full."""
    drift: dict[str, float] = {}
    seen = {card.version}
    while ADAPTATION in card.settings:
        gate = card.scores.get(GATE, {})
        recorded = gate.get(ANCHOR)
        if recorded is not None:
            name, digest = recorded["version"], recorded["sha256"]
            drift = _sum(drift, recorded["drift"])
            return Anchor(name, digest, _folder(roots, card.pair, name, digest), drift, recorded.get("sets", {}))
        drift = _sum(drift, _step(gate))  # a card from before anchors
        name = (card.parent or "").rpartition("/")[2]
        parent = _card(roots, card.pair, name)
        if parent is None or name in seen:  # a version of another machine may have the name of one of ours
            return Anchor(name or "unknown", "", None, drift)
        seen.add(name)
        card = parent
    digest = card.files.get(WEIGHTS, "")
    return Anchor(card.version, digest, _folder(roots, card.pair, card.version, digest), drift)


def _step(gate: Mapping[str, Any]) -> dict[str, float]:
    """What the gate measured on the sets that must not be lost on, against the version before."""
    return {one["name"]: one["delta"] for one in gate.get("sets", []) if one["name"] != "corrections"}


def _sum(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {name: one.get(name, 0.0) + other.get(name, 0.0) for name in {**other, **one}}


def _card(roots: Sequence[Path], pair: str, version: str) -> Card | None:
    try:
        return Card.read(store.find(roots, pair, version))
    except VersionError:
        return None


def _folder(roots: Sequence[Path], pair: str, version: str, sha256: str) -> Path | None:
    """Where `version` is, if it has those weights."""
    card = _card(roots, pair, version)
    return store.find(roots, pair, version) if card is not None and card.files.get(WEIGHTS) == sha256 else None

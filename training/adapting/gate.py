"""The gate: may a candidate take the place of the current version?

(a) Corrections that were held out must gain: below 50 by the log-probability of their tokens, from 50 on by BLEU as
    users would get it. Either way they must gain more after their own sources than after strange ones, or what was
    learnt is not translation.
(b) The challenge set and (c) the general set, and the corpus's dev set when present, may lose `margin` BLEU on
    average, and the lower end of the 95 % interval of the paired bootstrap may lose `floor`; and since the last full
    training they may have lost `drift`, with all that was promoted meanwhile (`.anchor`).
(d) It must say at least one correction by itself, as users would get it, that the current version does not say so,
    and no fewer than that one; where that one says them all to the letter, the second is enough.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sacrebleu.metrics.chrf import CHRF

from model.config import JsonConfig, SearchConfig, require
from model.errors import ConfigError
from model.translator import Translator
from training.scoring.bootstrap import Difference, Interval, Statistics, mean_interval
from training.scoring.challenge import Item, check, read_challenge
from training.scoring.sets import CHALLENGE, GENERAL, SETS, Corpus, available, read_general, read_table

CHANGED = 25
"""Sentences that got better, and worse, that a report shows of each set."""
DEV, DEV_SENTENCES = "tatoeba.dev", 1000
BLEU_FROM = 50
"""Corrections from which on BLEU says more than log-probability."""


@dataclass(frozen=True)
class Limits(JsonConfig):
    """What a candidate may lose."""

    margin: float = 0.2
    """BLEU points on average."""
    floor: float = 1.0
    """BLEU points at the lower end of the 95 % interval."""
    drift: float = 0.5
    """BLEU points on average since the last full training, all promotions since taken together."""
    least_fit: float = 0.5
    """Nats a token by which a correction must be likelier after its own source than after others, to be learnt at all.

    Of 750 true corrections of sentences that the model gets wrong, the least had 1.16; with their translations
    shuffled, 85 % have less than 0.5.
    """

    def __post_init__(self) -> None:
        require(min(self.margin, self.floor, self.drift) >= 0, "margin, floor and drift must be 0 or more")


@dataclass(frozen=True)
class Changed:
    """A sentence that is translated otherwise than before."""

    source: str
    reference: str
    before: str
    after: str
    gain: float
    """chrF points of this sentence."""
    id: str | None = None
    """Of the correction, for corrections."""


@dataclass(frozen=True)
class Judgement:
    """What the gate found on one set."""

    name: str
    sentences: int
    measure: str
    """`BLEU` or `log-probability`."""
    before: float
    after: float
    delta: float
    interval: Interval
    passed: bool
    why: str
    changed: list[Changed] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    drift: float | None = None
    """BLEU points gained since the last full training; None for corrections."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


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


def gate_sets(pair: str, data: Path | None, sets: Path = SETS) -> list[GateSet]:
    """The sets of a pair: our own, and the corpus's dev set when there is a folder with one.

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
        found.append(_plain(DEV, read_table(paths[DEV], pair)[:DEV_SENTENCES]))
    require(bool(found), f"there is no set for {pair} that a candidate could be judged by: --sets FOLDER names yours")
    return found


def _plain(name: str, pairs: Sequence[tuple[str, str]]) -> GateSet:
    return GateSet(name, [source for source, _ in pairs], [[reference] for _, reference in pairs])


def translations(translator: Translator, texts: Sequence[str]) -> list[str]:
    """As users get them."""
    return [translation.text for translation in translator.translate(texts, SearchConfig())]


def judge_set(
    gate: GateSet, before: Sequence[str], after: Sequence[str], limits: Limits, drift: float = 0.0
) -> Judgement:
    """Whether the translations `after` are not worse than `before`, those of the current version.

    Args:
        drift: BLEU points that `before` gained since the last full training, negative if it lost.
    """
    rows = [row for row, references in enumerate(gate.references) if references]
    sources, references = [gate.sources[row] for row in rows], [gate.references[row] for row in rows]
    old, new = ([outputs[row] for row in rows] for outputs in (before, after))
    theirs, ours = Statistics(old, references), Statistics(new, references)
    difference = ours.compare_bleu(theirs)
    passed, why = _allowed(difference, limits, drift)
    notes: dict[str, Any] = {"signature": ours.bleu_signature}
    if gate.items:
        notes["passed before"], notes["passed after"] = (check(gate.items, out).total[0] for out in (before, after))
    return Judgement(
        gate.name, len(rows), "BLEU", theirs.bleu, ours.bleu, difference.delta,
        difference.interval, passed, why, changes(sources, references, old, new), notes, drift + difference.delta,
    )  # fmt: skip


def gained(gate: GateSet, before: Sequence[str], after: Sequence[str]) -> float:
    """BLEU points by which the translations `after` are better than `before`."""
    rows = [row for row, references in enumerate(gate.references) if references]
    references = [gate.references[row] for row in rows]
    theirs, ours = (Statistics([outputs[row] for row in rows], references) for outputs in (before, after))
    return ours.bleu - theirs.bleu


def _allowed(difference: Difference, limits: Limits, drift: float) -> tuple[bool, str]:
    low, total = difference.interval[0], drift + difference.delta
    if difference.delta < -limits.margin:
        return False, f"loses {_beyond(-difference.delta, limits.margin)} BLEU; {limits.margin:g} may be lost"
    if low < -limits.floor:
        return False, f"might lose {_beyond(-low, limits.floor)} BLEU (lower end of 95 %); {limits.floor:g} may be lost"
    if total < -limits.drift:
        return False, (
            f"is {_beyond(-total, limits.drift)} BLEU below the last full training, with all that was promoted since; "
            f"{limits.drift:g} may be lost: train in full, or go back"
        )
    since = f"; {total:+.2f} since the last full training" if drift else ""
    return True, f"{difference.delta:+.2f} BLEU, at worst {low:+.2f}{since}"


def _beyond(lost: float, limit: float) -> str:
    """`lost` with two decimals, or as many as show that it is more than `limit`."""
    shown = (f"{lost:.{decimals}f}" for decimals in range(2, 10))
    return next((text for text in shown if float(text) > limit), repr(lost))


def changes(
    sources: Sequence[str],
    references: Sequence[Sequence[str]],
    before: Sequence[str],
    after: Sequence[str],
    ids: Sequence[str] | None = None,
) -> list[Changed]:
    """The sentences that changed: the `CHANGED` that gained most and those that lost most, best first."""
    chrf = CHRF()
    found = []
    for row, (old, new) in enumerate(zip(before, after, strict=True)):
        if old != new:
            own = list(references[row])
            gain = chrf.sentence_score(new, own).score - chrf.sentence_score(old, own).score
            id = None if ids is None else ids[row]
            found.append(Changed(sources[row], own[0], old, new, round(gain, 1), id))
    found.sort(key=lambda one: -one.gain)
    return found if len(found) <= 2 * CHANGED else found[:CHANGED] + found[-CHANGED:]


@dataclass(frozen=True)
class HeldOut:
    """What folds found of corrections that they had not seen; a value for each example."""

    before: list[float]
    after: list[float]
    """Mean log-probability of the tokens of the correction."""
    before_crossed: list[float]
    after_crossed: list[float]
    """The same after a strange source."""


def judge_log_probs(held: HeldOut) -> Judgement:
    """Whether held-out corrections became likelier, and more so after their own sources than after strange ones."""
    gains = np.array(held.after) - np.array(held.before)
    crossed = np.array(held.after_crossed) - np.array(held.before_crossed)
    contrast = float((gains - crossed).mean())
    delta, interval = float(gains.mean()), mean_interval(gains)
    passed = delta > 0 and contrast > 0
    why = f"{delta:+.3f} nats a token" if passed else "do not become likelier"
    if delta > 0 >= contrast:
        why = "become likelier, but no more after their own sources than after others: nothing to learn from"
    return Judgement(
        "corrections", len(gains), "log-probability", float(np.mean(held.before)), float(np.mean(held.after)),
        delta, interval, passed, why, notes={"more than after other sources": contrast},
    )  # fmt: skip


def judge_bleu(
    by_log_prob: Judgement, sources: Sequence[str], references: Sequence[str], outputs: tuple[list[str], list[str]]
) -> Judgement:
    """The same by BLEU of held-out corrections: `outputs` of the current version and of models that had not seen them.

    Both must say that it helps: BLEU beyond chance, and log-probability.
    """
    before, after = outputs
    lists = [[reference] for reference in references]
    theirs, ours = Statistics(before, lists), Statistics(after, lists)
    difference = ours.compare_bleu(theirs)
    passed = by_log_prob.passed and difference.interval[0] > 0
    why = f"{difference.delta:+.2f} BLEU" if passed else f"{difference.delta:+.2f} BLEU is not beyond chance"
    if not by_log_prob.passed:
        why = by_log_prob.why
    notes = {**by_log_prob.notes, "log-probability": by_log_prob.delta, "signature": ours.bleu_signature}
    return Judgement(
        "corrections", len(references), "BLEU", theirs.bleu, ours.bleu, difference.delta,
        difference.interval, passed, why, changes(sources, lists, before, after), notes,
    )  # fmt: skip

"""The gate: may a candidate take the place of the current version?

(a) Corrections that were held out must gain: below 50 by the log-probability of their tokens, from 50 on by BLEU as
    users would get it. Either way they must gain more after their own sources than after strange ones, or what was
    learnt is not translation.
(b) The challenge set, the general set, and the corpus's dev set when present, taken together, may lose `margin` BLEU
    on average, and the lower end of the 95 % interval of the paired bootstrap may lose `floor`; and since the last full
    training they may have lost `drift`, with all that was promoted meanwhile (`.anchor`).
(c) Each of them by itself may have lost `alone` since then: by chance some hundred sentences move by half a point.
(d) It must say at least one correction by itself, as users would get it, that the current version does not say so,
    and no fewer than that one; where that one says them all to the letter, the second is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from sacrebleu.metrics.chrf import CHRF

from model.config import JsonConfig, SearchConfig, require
from model.translator import Translator
from training.adapting.gate_sets import TOGETHER, GateSet
from training.scoring.bootstrap import Difference, Interval, Statistics, mean_interval
from training.scoring.challenge import check

CHANGED = 25
"""Sentences that got better, and worse, that a report shows of each set."""
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
    alone: float = 1.0
    """BLEU points that one set by itself may have lost on average since the last full training."""
    least_fit: float = 1.0
    """Nats a token by which a correction must be likelier after its own source than after others, to be learnt at all.

    Of 750 true corrections of sentences that the model of 30 November mostly gets wrong, the least has 1.74; with their
    translations shuffled, 92 % have less than 1. It was 0.5 for the weights before, whose odds were less sharp.
    """

    def __post_init__(self) -> None:
        least = min(self.margin, self.floor, self.drift, self.alone)
        require(least >= 0, "margin, floor, drift and alone must be 0 or more")


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


def translations(translator: Translator, texts: Sequence[str]) -> list[str]:
    """As users get them."""
    return [translation.text for translation in translator.translate(texts, SearchConfig())]


def judge_set(
    gate: GateSet, before: Sequence[str], after: Sequence[str], limits: Limits, drift: float = 0.0
) -> Judgement:
    """Whether the translations `after` are not worse than `before`, those of the current version.

    What one set has changed is told with that set, and not with all of them.

    Args:
        drift: BLEU points that `before` gained since the last full training, negative if it lost.
    """
    rows = [row for row, references in enumerate(gate.references) if references]
    sources, references = [gate.sources[row] for row in rows], [gate.references[row] for row in rows]
    old, new = ([outputs[row] for row in rows] for outputs in (before, after))
    theirs, ours = Statistics(old, references), Statistics(new, references)
    difference = ours.compare_bleu(theirs)
    whole = gate.name == TOGETHER
    passed, why = (_allowed if whole else _allowed_alone)(difference, limits, drift)
    changed = [] if whole else changes(sources, references, old, new)
    notes: dict[str, Any] = {"signature": ours.bleu_signature}
    if gate.items:
        notes["passed before"], notes["passed after"] = (check(gate.items, out).total[0] for out in (before, after))
    return Judgement(
        gate.name, len(rows), "BLEU", theirs.bleu, ours.bleu, difference.delta,
        difference.interval, passed, why, changed, notes, drift + difference.delta,
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
    return True, _gain(difference, drift)


def _allowed_alone(difference: Difference, limits: Limits, drift: float) -> tuple[bool, str]:
    total = drift + difference.delta
    if total >= -limits.alone:
        return True, _gain(difference, drift)
    below = (
        "is {} BLEU below the last full training; {:g} may be lost: train in full, or go back"
        if drift
        else "loses {} BLEU; {:g} may be lost"
    )
    return False, below.format(_beyond(-total, limits.alone), limits.alone)


def _gain(difference: Difference, drift: float) -> str:
    since = f"; {drift + difference.delta:+.2f} since the last full training" if drift else ""
    return f"{difference.delta:+.2f} BLEU, at worst {difference.interval[0]:+.2f}{since}"


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

"""What corrections gain that were not trained on: each is judged by the fold that held it out."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from model.translator import Translator
from model.versions.store import Version
from training.adapting.adaptation import log_probs
from training.adapting.corrections import Example
from training.adapting.folds import Fold, blended, read_weights
from training.adapting.gate import BLEU_FROM, HeldOut, Judgement, judge_bleu, judge_log_probs, translations
from training.run.batching import Encoded


@dataclass(frozen=True)
class HeldBack:
    """The corrections in the order of the folds, and what the current version makes of them."""

    folds: Sequence[Fold]
    stop: int
    """Which of the stops of a fold is judged."""
    examples: Sequence[Example]
    crossed: Sequence[Encoded]
    """A strange source and the correction, for each."""
    before: list[float]
    before_crossed: list[float]
    outputs: list[str] | None
    """The current version's translations; None where they are too few for BLEU."""


def hold_back(
    found: Sequence[Example], folds: tuple[Sequence[Fold], int], strangers: Sequence[Encoded], current: Translator,
    parent: Version, seed: int,
) -> HeldBack:  # fmt: skip
    """All that is known of the corrections before; it is the same for every blend.

    Args:
        folds: with the stop that is judged.
        strangers: other sources to try.
        current: translates as `parent` is served.
    """
    rng = random.Random(seed)
    examples = [found[row] for fold in folds[0] for row in fold.held_out]
    own = [one.ids for one in examples]
    crossed = [Encoded(rng.choice(strangers).source, ids.target) for ids in own]
    outputs = translations(current, [one.source for one in examples]) if len(found) >= BLEU_FROM else None
    before, before_crossed = log_probs(parent.model, own), log_probs(parent.model, crossed)
    return HeldBack(*folds, examples, crossed, before, before_crossed, outputs)


def judge_held_back(held: HeldBack, strength: float, parent: Version, current: Translator) -> Judgement:
    """What each correction gains in the fold that has not seen it; of a single one, nothing is known.

    No fold is the candidate, which is the mean of all of them and of the model that has seen every correction: they say
    what learning the others brings, not what this very mean would say.
    """
    if not held.folds:
        why = "a single correction: nothing can be held out"
        return Judgement("corrections", 0, "log-probability", 0.0, 0.0, 0.0, (0.0, 0.0), True, why)
    after: list[float] = []
    after_crossed: list[float] = []
    outputs: list[str] = []
    for fold in held.folds:
        model = blended(parent.model, read_weights(fold.weights(held.stop)), strength)
        here = slice(len(after), len(after) + len(fold.held))
        after += log_probs(model, fold.held)
        after_crossed += log_probs(model, held.crossed[here])
        if held.outputs is not None:
            version = Version.of(parent.card, model, parent.source, parent.target)
            served = Translator(version, current.device, current.route)
            outputs += translations(served, [one.source for one in held.examples[here]])
    by_log_prob = judge_log_probs(HeldOut(held.before, after, held.before_crossed, after_crossed))
    if held.outputs is None:
        return by_log_prob
    sources, references = [one.source for one in held.examples], [one.target for one in held.examples]
    return judge_bleu(by_log_prob, sources, references, (held.outputs, outputs))

"""Blends before the gate: what is known before the first of them, and what each of them makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import VersionError
from model.translator import Translator
from training.adapting.anchor import Anchor
from training.adapting.answers import Answers, judge_answers
from training.adapting.corrections import Correction
from training.adapting.gate import Judgement, Limits, gained, judge_set, translations
from training.adapting.gate_sets import GateSet, together


@dataclass(frozen=True)
class Attempt:
    """One blend before the gate."""

    strength: float
    answers: Answers
    judgements: Sequence[Judgement]
    """The corrections that were held out first."""

    @property
    def passed(self) -> bool:
        """Whether it says corrections by itself and every set lets it pass."""
        return self.answers.passed and all(judgement.passed for judgement in self.judgements)

    @property
    def has_learnt(self) -> bool:
        """Whether it helps: if so, and the other sets do not let it pass, a weaker blend may."""
        return self.answers.passed and self.judgements[0].passed

    @property
    def reasons(self) -> list[str]:
        """Why it does not pass."""
        failed = [f"{one.name} {one.why}" for one in self.judgements if not one.passed]
        return ([] if self.answers.passed else [self.answers.why]) + failed

    @property
    def drift(self) -> dict[str, float]:
        """Set -> BLEU points gained since the last full training."""
        return {one.name: one.drift for one in self.judgements if one.drift is not None}

    def summary(self) -> dict[str, Any]:
        """As JSON, without sentences."""
        why = {"answers": self.answers.why, **{one.name: f"{one.name} {one.why}" for one in self.judgements}}
        return {"strength": self.strength, "passed": self.passed, "answers": self.answers.to_dict(), "why": why}


def why_none_passed(attempts: Sequence[Attempt]) -> list[str]:
    """Each a line, for people. Where there was one attempt alone, it took all that was learnt."""
    if len(attempts) == 1:
        return attempts[0].reasons
    return [f"With {one.strength:.0%} of what was learnt: {'; '.join(one.reasons)}" for one in attempts]


class Trial:
    """Knows what the version that serves makes of the sets, which is the same for every blend."""

    def __init__(
        self, current: Translator, corrections: Sequence[Correction], gates: Sequence[GateSet], limits: Limits
    ) -> None:
        """`corrections` are those that were learnt."""
        self._corrections, self._limits = corrections, limits
        self._gates = [*gates, together(gates)]
        self._sources = [one.source for one in corrections]
        self._answers = translations(current, self._sources)
        self._before = self._translated(current)
        self._drift = [0.0 for _ in self._gates]

    def measure_from(self, anchor: Anchor, parent: Path) -> str | None:
        """How far the version in `parent` has come from `anchor`: as measured, or by the cards if that is gone.

        Returns:
            What is wrong with the anchor, if it is there and cannot be used; then, too, the cards say how far.
        """
        try:
            measured = anchor.folder is not None and not anchor.folder.samefile(parent)
            old = Translator.load(anchor.folder) if measured and anchor.folder is not None else None
            problem = None
        except VersionError as error:
            old, problem = None, error.problem
        self._drift = self._by_the_cards(anchor) if old is None else self._since(old)
        return problem

    def _since(self, old: Translator) -> list[float]:
        """BLEU points that the version that serves has gained on each set since `old`."""
        every = zip(self._gates, self._translated(old), self._before, strict=True)
        return [gained(gate, theirs, before) for gate, theirs, before in every]

    def _by_the_cards(self, anchor: Anchor) -> list[float]:
        """The same as the cards have it.

        Of all sets together they may not: cards from before that was judged, or other sets were there the last time.
        Then it is the mean of what they say of each, by its sentences.
        """
        *gates, whole = self._gates
        each = [anchor.drift_on(gate.name, gate.sha256) for gate in gates]
        if anchor.sets.get(whole.name) == whole.sha256:
            return [*each, anchor.drift_on(whole.name, whole.sha256)]
        points = sum(drift * len(gate.sources) for drift, gate in zip(each, gates, strict=True))
        return [*each, points / max(1, len(whole.sources))]

    def _translated(self, translator: Translator, each: Callable[[], None] = lambda: None) -> list[list[str]]:
        """Of each set, and of all of them as one; `each` is called after each."""
        found = []
        for gate in self._gates[:-1]:
            found.append(translations(translator, gate.sources))
            each()
        return [*found, [text for texts in found for text in texts]]

    def attempt(
        self, strength: float, candidate: Translator, held_out: Judgement, translated: Callable[[], None]
    ) -> Attempt:
        """The verdict on a blend; `translated` is called after each set, before any is judged."""
        said = translations(candidate, self._sources)
        answers = judge_answers([one.target for one in self._corrections], self._answers, said)
        outputs = self._translated(candidate, translated)
        judgements = [
            judge_set(gate, before, after, self._limits, drift)
            for gate, before, after, drift in zip(self._gates, self._before, outputs, self._drift, strict=True)
        ]
        return Attempt(strength, answers, [held_out, *judgements])

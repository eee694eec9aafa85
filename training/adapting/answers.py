"""Which of the corrections that it was trained on a candidate says by itself, memory aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from training.data.pairs import normalise_key

EXACTLY = 2


@dataclass(frozen=True)
class Answers:
    """How many corrections a candidate says by itself, but for case and punctuation, and how many the parent did."""

    corrections: int
    before: int
    after: int
    exact_before: int
    """Those that the parent said to the letter: nothing of them is left to learn."""
    learnt: int
    """Those that the parent did not say so, case and punctuation included."""

    @property
    def passed(self) -> bool:
        """Whether it has learnt one, unless none was left to learn, and says no fewer than the parent did."""
        return self.after >= self.before and (self.learnt > 0 or self.exact_before == self.corrections)

    @property
    def why(self) -> str:
        """For people."""
        if self.after == 0:
            return f"answers none of {self.corrections} corrections itself"
        counts = f"answers {self.after} of {self.corrections} corrections itself; before, {self.before}"
        if self.after < self.before:
            return f"{counts}: fewer"
        return counts if self.passed else f"{counts}, and none that it had not answered"

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "passed": self.passed, "why": self.why}


def judge_answers(wanted: Sequence[str], before: Sequence[str], after: Sequence[str]) -> Answers:
    """What the translations `before` and `after` have of those that are `wanted`."""
    old, new = ([_match(*pair) for pair in zip(outputs, wanted, strict=True)] for outputs in (before, after))
    learnt = sum(now > then for then, now in zip(old, new, strict=True))
    return Answers(len(wanted), sum(map(bool, old)), sum(map(bool, new)), old.count(EXACTLY), learnt)


def _match(text: str, wanted: str) -> int:
    """`EXACTLY` if they are the same, 1 if but for case and punctuation, 0 if they are not."""
    return EXACTLY if text == wanted else int(normalise_key(text) == normalise_key(wanted))

"""Has it become slower? Ratios to the peers of the same run, beside those that are committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.results.figures import STEADY, Figure, Ratio, ratios
from benchmarks.results.tables import number


@dataclass(frozen=True)
class Change:
    """A ratio, then and now."""

    now: Ratio
    before: float

    @property
    def factor(self) -> float:
        """Above 1 it has become better."""
        return self.now.value / self.before

    def __str__(self) -> str:
        now = self.now
        what = f"{now.suite}, {now.table}, {now.case}, {now.unit}: {now.program} : {now.yardstick}"
        amount = f"{abs(1 - self.factor):.0%} {'better' if self.factor > 1 else 'worse'}"
        return f"{what}: {number(self.before)} x, now {number(now.value)} x: {amount}"


def changes(now: Sequence[Figure], before: Sequence[Figure]) -> list[Change]:
    """All ratios that both runs have and that hold still well enough, the worst change first."""
    known = {_key(ratio): ratio.value for ratio in ratios(before)}
    found = [
        Change(ratio, known[_key(ratio)]) for ratio in ratios(now) if ratio.unit in STEADY and _key(ratio) in known
    ]
    return sorted(found, key=lambda change: change.factor)


def _key(ratio: Ratio) -> tuple[str, ...]:
    return ratio.suite, ratio.table, ratio.program, ratio.yardstick, ratio.case, ratio.unit


def beyond(found: Sequence[Change], tolerance: float) -> tuple[list[Change], list[Change]]:
    """What has become worse, and what better, by more than the share `tolerance`.

    Both are measured alike: with 0.2, 10 x has become worse below 8 x, and 8 x better above 10 x.
    """
    worse = [change for change in found if change.factor < 1 - tolerance]
    return worse, [change for change in found if 1 / change.factor < 1 - tolerance]

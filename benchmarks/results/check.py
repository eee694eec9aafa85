"""Has it become slower? Ratios to the peers of the same run, beside those that are committed."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.results.figures import STEADY, Figure, Ratio, ratios
from benchmarks.results.tables import number

Place = tuple[str, str, str, str]
"""Suite, table, case and program."""


@dataclass(frozen=True)
class Change:
    """What became of one program in one case."""

    place: Place
    ratios: tuple[tuple[Ratio, float], ...]
    """To each peer and in each unit: now, and before."""

    @property
    def factor(self) -> float:
        """Above 1 it has become better: the geometric mean over peers and units, each of which is noisy."""
        return statistics.geometric_mean(now.value / before for now, before in self.ratios)

    def __str__(self) -> str:
        suite, table, case, program = self.place
        amount = f"{abs(1 - self.factor):.0%} {'better' if self.factor > 1 else 'worse'}"
        each = "; ".join(
            f"{number(before)} x {now.yardstick}, now {number(now.value)} x ({now.unit})" for now, before in self.ratios
        )
        return f"{suite}, {table}, {case}: {program} is {amount}: {each}"


def changes(now: Sequence[Figure], before: Sequence[Figure]) -> list[Change]:
    """All that both runs have and that holds still well enough, the worst change first."""
    known = {(_place(ratio), ratio.yardstick, ratio.unit): ratio.value for ratio in ratios(before)}
    found: defaultdict[Place, list[tuple[Ratio, float]]] = defaultdict(list)
    for ratio in ratios(now):
        then = known.get((_place(ratio), ratio.yardstick, ratio.unit))
        if ratio.unit in STEADY and then is not None:
            found[_place(ratio)].append((ratio, then))
    return _worst_first(Change(place, tuple(pairs)) for place, pairs in found.items())


def _place(ratio: Ratio) -> Place:
    return ratio.suite, ratio.table, ratio.case, ratio.program


def better_of(first: Sequence[Change], again: Sequence[Change]) -> list[Change]:
    """`first`, with what was measured `again` and did better then in its place."""
    second = {change.place: change for change in again}
    return _worst_first(max(one, second.get(one.place, one), key=lambda change: change.factor) for one in first)


def _worst_first(found: Iterable[Change]) -> list[Change]:
    return sorted(found, key=lambda change: change.factor)


def beyond(found: Sequence[Change], tolerance: float) -> tuple[list[Change], list[Change]]:
    """What has become worse, and what better, by more than the share `tolerance`.

    Both are measured alike: with 0.2, 10 x has become worse below 8 x, and 8 x better above 10 x.
    """
    worse = [change for change in found if change.factor < 1 - tolerance]
    return worse, [change for change in found if 1 / change.factor < 1 - tolerance]


def suites_of(found: Sequence[Change]) -> list[str]:
    """The suites of `found`, each once."""
    return list(dict.fromkeys(change.place[0] for change in found))

"""Programs that do the same work, measured in turn, round after round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.results.figures import Figure

Measure = Callable[[], Mapping[str, float]]
"""Does the work once and gives what it took: unit -> value."""


@dataclass(frozen=True)
class Entrant:
    """One program."""

    program: str
    measure: Measure
    yardstick: bool = False


@dataclass(frozen=True)
class Contest:
    """One case, and the programs that are measured in it one right after the other."""

    table: str
    case: str
    entrants: tuple[Entrant, ...]


def compete(
    suite: str, contests: Sequence[Contest], rounds: int, advance: Callable[[str], None] = lambda what: None
) -> list[Figure]:
    """Measure each entrant of each contest once a round; those of a contest in turn from the front and from the back.

    `advance` is told before each measurement what is measured.
    """
    found: defaultdict[tuple[str, Entrant, str, str], list[float]] = defaultdict(list)
    for number in range(rounds):
        for contest in contests:
            for entrant in contest.entrants[:: -1 if number % 2 else 1]:
                advance(f"{contest.table}, {contest.case}: {entrant.program}")
                for unit, value in entrant.measure().items():
                    found[contest.table, entrant, contest.case, unit].append(value)
    return [
        Figure(suite, table, entrant.program, case, unit, tuple(values), entrant.yardstick)
        for (table, entrant, case, unit), values in found.items()
    ]

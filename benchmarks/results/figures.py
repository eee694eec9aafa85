"""Figures, with a value for each round, and the ratios of our figures to those of a peer in the same run.

Machines are shared and noisy, so ratios are what counts: both values of a round were measured one right after the
other, and the median over the rounds is taken of the ratios, not of their two sides.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

RATES = ("sentences/s", "sentences/s, start-up left out", "target tokens/s")
"""Units of which more is better. Of all others less is."""
STEADY = (*RATES, "ms (p50)", "s", "MB")
"""Units whose medians hold still well enough to be compared between runs; tails do not."""
DIGITS = 4
"""Significant ones, in the file."""


@dataclass(frozen=True)
class Figure:
    """What one program did in one case."""

    suite: str
    table: str
    """Heading under which cases stand beside each other, such as `everyday lines, greedy`."""
    program: str
    case: str
    """Heading of the column, such as a number of clients."""
    unit: str
    values: tuple[float, ...]
    """One for each round."""
    yardstick: bool = False
    """Whether `program` is what others in the same case are compared with."""

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {**dataclasses.asdict(self), "values": [float(f"{value:.{DIGITS}g}") for value in self.values]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Back from JSON."""
        return cls(**{**values, "values": tuple(values["values"])})


@dataclass(frozen=True)
class Ratio:
    """How many times as good `program` was as `yardstick`: above 1 it was faster, or needed less."""

    suite: str
    table: str
    program: str
    yardstick: str
    case: str
    unit: str
    values: tuple[float, ...]

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)


def ratios(figures: Sequence[Figure]) -> list[Ratio]:
    """Every program beside every yardstick of the same table, case and unit.

    Raises:
        ValueError: the two have not as many rounds.
    """
    return [
        Ratio(ours.suite, ours.table, ours.program, theirs.program, ours.case, ours.unit, _times(ours, theirs))
        for ours in figures
        if not ours.yardstick
        for theirs in figures
        if theirs.yardstick and _place(theirs) == _place(ours)
    ]


def _place(figure: Figure) -> tuple[str, str, str, str]:
    return figure.suite, figure.table, figure.case, figure.unit


def _times(ours: Figure, theirs: Figure) -> tuple[float, ...]:
    pairs = zip(ours.values, theirs.values, strict=True)
    return tuple(mine / other if ours.unit in RATES else other / mine for mine, other in pairs)

"""Figures as tables in Markdown: a table for each heading, a column for each case, a row for each program and unit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from benchmarks.results.figures import RATES, STEADY, Figure, ratios


def tables(figures: Sequence[Figure]) -> str:
    """All of `figures`, which lie table by table, each table under a heading."""
    parts = []
    for name, group in groupby(figures, key=lambda figure: figure.table):
        parts.append(f"#### {name[:1].upper()}{name[1:]}\n\n{table(list(group))}\n")
    return "\n".join(parts)


def table(figures: Sequence[Figure]) -> str:
    """One table: our programs, their yardsticks, and how the first of ours compares with each of those."""
    cases = list(dict.fromkeys(figure.case for figure in figures))
    first = next((figure.program for figure in figures if not figure.yardstick), "")
    lines = [_row("", "", cases), "|---|---|" + "---:|" * len(cases)]
    for yardstick in (False, True):
        rows = [figure for figure in figures if figure.yardstick == yardstick]
        for program, unit in dict.fromkeys((figure.program, figure.unit) for figure in rows):
            of_row = [figure for figure in rows if (figure.program, figure.unit) == (program, unit)]
            lines.append(_row(program, unit, _cells(cases, [(one.case, number(one.value)) for one in of_row])))
    rated = any(figure.unit in RATES for figure in figures)  # then how long one waits for one sentence says the same
    shown = [unit for unit in STEADY if not (rated and unit == "ms (p50)")]
    compared = [ratio for ratio in ratios(figures) if ratio.program == first and ratio.unit in shown]
    for other, unit in dict.fromkeys((ratio.yardstick, ratio.unit) for ratio in compared):
        times = [(one.case, one.value) for one in compared if (one.yardstick, one.unit) == (other, unit)]
        cells = _cells(cases, [(case, f"**{number(value)} x**") for case, value in times])
        lines.append(_row(f"**{first} : {other}**", unit, cells))
    return "\n".join(lines)


def _cells(cases: Sequence[str], filled: Sequence[tuple[str, str]]) -> list[str]:
    by_case = dict(filled)
    return [by_case.get(case, "") for case in cases]


def _row(program: str, unit: str, cells: Sequence[str]) -> str:
    return f"| {program} | {unit} | " + " | ".join(cells) + " |"


def number(value: float) -> str:
    """Three digits or so: 1,234  36.9  2.51  0.054."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 3
    return f"{value:,.{digits}f}"

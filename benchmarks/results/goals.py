"""What was aimed at, and what was reached."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.results.figures import Figure
from benchmarks.results.tables import number

OURS, ONCE = "Traghetto", "Traghetto, without second tries"
OPUS_MT, FIREFOX_TINY = "CTranslate2, OPUS-MT's shape", "CTranslate2, Firefox's tiny shape"
FILE, EVERYDAY, PROSE = "a file by `traghetto translate`, greedy", "2,000 everyday lines", "400 lines of 25 words"
HTTP, BARE, LONE = "Traghetto over HTTP", "the translator alone", "alone"
SINGLE, LISTS, BESIDE = "closed loop, single sentences", "closed loop, lists of 16", "a short sentence now and then"
BULK, NONSENSE = "beside 5,000 sentences, in 50 requests at once", "beside 50,000 characters of nonsense"
GREEDY, BEAM, GREEDY_PROSE = "everyday lines, greedy", "everyday lines, beam 4", "lines of 25 words, greedy"
RATE, LATER, WAIT = "sentences/s", "sentences/s, start-up left out", "ms (p50)"


class Key(NamedTuple):
    """Where a figure stands."""

    table: str
    case: str
    unit: str
    program: str = OURS


@dataclass(frozen=True)
class Goal:
    """A number to reach, or with `at_most` one not to pass: of `figure`, or of `figure` divided by `by`."""

    what: str
    number: float
    unit: str
    figure: Key
    by: Key | None = None
    at_most: bool = False
    only: str = ""
    """The kind of processor that it is about; empty: all."""


GOALS = (
    Goal("a file of 2,000 everyday lines, greedy, start-up included", 10, "x",
         Key(FILE, EVERYDAY, RATE), Key(FILE, EVERYDAY, RATE, OPUS_MT)),
    Goal("the same, start-up left out", 10, "x",
         Key(FILE, EVERYDAY, LATER), Key(FILE, EVERYDAY, LATER, OPUS_MT)),
    Goal("the same, goal where there is AVX2 only", 6, "x",
         Key(FILE, EVERYDAY, LATER), Key(FILE, EVERYDAY, LATER, OPUS_MT), only="avx2"),
    Goal("a file of 400 lines of 25 words, greedy, start-up included", 6, "x",
         Key(FILE, PROSE, RATE), Key(FILE, PROSE, RATE, OPUS_MT)),
    Goal("the same lines, start-up left out", 6, "x", Key(FILE, PROSE, LATER), Key(FILE, PROSE, LATER, OPUS_MT)),
    Goal("everyday lines, beam 4, batches of 32", 8, "x", Key(BEAM, "32", RATE), Key(BEAM, "32", RATE, OPUS_MT)),
    Goal("Firefox's tiny shape, everyday lines, greedy, batches of 32", 2, "x",
         Key(GREEDY, "32", RATE), Key(GREEDY, "32", RATE, FIREFOX_TINY)),
    Goal("one sentence: its latency is so many times ours", 20, "x",
         Key(GREEDY, "1", WAIT, OPUS_MT), Key(GREEDY, "1", WAIT)),
    Goal("beam 4 over greedy, both without second tries, batches of 32", 0.25, "x",
         Key(BEAM, "32", RATE, ONCE), Key(GREEDY, "32", RATE, ONCE)),
    Goal("second tries, everyday lines, batches of 32: what is left", 0.9, "x",
         Key(GREEDY, "32", RATE), Key(GREEDY, "32", RATE, ONCE)),
    Goal("second tries, 25-word lines, batches of 32: what is left", 0.7, "x",
         Key(GREEDY_PROSE, "32", RATE), Key(GREEDY_PROSE, "32", RATE, ONCE)),
    Goal("HTTP, 64 clients, lists of 16: share of the translator alone", 0.85, "x",
         Key(LISTS, "64 clients", RATE, HTTP), Key(LISTS, "64 clients", RATE, BARE)),
    Goal("HTTP, 64 clients, single sentences: share of the translator alone", 0.7, "x",
         Key(SINGLE, "64 clients", RATE, HTTP), Key(SINGLE, "64 clients", RATE, BARE)),
    Goal("HTTP, 16 clients, single sentences: 99 of 100 wait", 60, "ms",
         Key(SINGLE, "16 clients", "ms (p99)", HTTP), at_most=True),
    Goal("a short sentence beside 5,000 of another user, to one alone", 2, "x",
         Key(BESIDE, BULK, WAIT, HTTP), Key(BESIDE, BULK, WAIT, LONE), at_most=True),
    Goal("a short sentence beside nonsense: 95 of 100 wait", 1000, "ms",
         Key(BESIDE, NONSENSE, "ms (p95)", HTTP), at_most=True),
    Goal("first line of `traghetto translate`", 1.5, "s",
         Key("from start to answer", "first line of traghetto translate", "s"), at_most=True),
    Goal("first answer of `traghetto serve`", 3, "s",
         Key("from start to answer", "first answer of traghetto serve", "s"), at_most=True),
    Goal("one worker with both directions", 500, "MB",
         Key("resident memory", "traghetto serve, 200 translations each way", "MB"), at_most=True),
)  # fmt: skip


def goals(figures: Sequence[Figure], kind: str) -> str:
    """The goals for a kind of processor that were measured, as a table in Markdown."""
    known = {Key(figure.table, figure.case, figure.unit, figure.program): figure.values for figure in figures}
    lines = ["| | goal | measured | reached |", "|---|---:|---:|---|"]
    for goal in GOALS:
        value = _measured(goal, known)
        if value is None or goal.only not in ("", kind):
            continue
        reached = value <= goal.number if goal.at_most else value >= goal.number
        aimed = f"{'≤' if goal.at_most else '≥'} {number(goal.number)} {goal.unit}"
        lines.append(f"| {goal.what} | {aimed} | {number(value)} {goal.unit} | {'yes' if reached else '**no**'} |")
    return "\n".join(lines)


def _measured(goal: Goal, known: dict[Key, tuple[float, ...]]) -> float | None:
    """The median of the rounds; None if it was not measured."""
    above = known.get(goal.figure)
    below = known.get(goal.by) if goal.by else tuple(1.0 for _ in above or ())
    if above is None or below is None:
        return None
    return statistics.median(one / other for one, other in zip(above, below, strict=True))

"""`traghetto translate` on a file, from the start of its process to the end, second tries and all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.suites.contest import Contest, Entrant
from benchmarks.suites.decode import BEAM, GREEDY, SEARCHES
from benchmarks.suites.peers import FIREFOX_TINY, OPUS_MT, Work
from benchmarks.suites.processes import TRANSLATE
from benchmarks.suites.setup import EVERYDAY, PROSE, Setup

CASES = ((EVERYDAY, GREEDY, 2000), (PROSE, GREEDY, 400), (EVERYDAY, BEAM, 500))
"""Kind of lines, search, lines. A beam is what `traghetto translate` does unless it is told otherwise."""
QUICK_CASES = CASES[:1]
BATCH = 32
"""Of the peers."""


@contextlib.contextmanager
def contests(setup: Setup) -> Iterator[Sequence[Contest]]:
    """A table for each search, a case for each kind of lines. The peers get tokens, they need not cut into pieces."""
    yield [_contest(setup, *case) for case in (QUICK_CASES if setup.quick else CASES)]


def _contest(setup: Setup, kind: str, search: str, count: int) -> Contest:
    lines, beam = setup.lines(kind), SEARCHES[search].beam
    name = f"{count} {kind}"
    command = (*TRANSLATE, "--beam", str(beam))
    entrants = [
        Entrant("Traghetto", partial(_measure, setup, command, _files(setup, f"{name}.text", lines.texts[:count])))
    ]
    tokens = _files(setup, f"{name}.tokens", [" ".join(source[:-1]) for source in lines.sources[:count]])
    for shape in (OPUS_MT, FIREFOX_TINY):
        work = Work(shape, BATCH, beam, lines.output_length)
        theirs = setup.peers.command(work, setup.peers.best_threads(work, lines.sources)[0])
        entrants.append(Entrant(shape.name, partial(_measure, setup, theirs, tokens), yardstick=True))
    return Contest(f"a file by `traghetto translate`, {search}", f"{count:,} {kind}", tuple(entrants))


def _files(setup: Setup, name: str, lines: Sequence[str]) -> tuple[Path, Path, int]:
    """All of `lines` in a file, the first in another, and how many are in one and not in the other."""
    paths = setup.scratch / name, setup.scratch / f"{name}.1"
    for path, written in zip(paths, (lines, lines[:1]), strict=True):
        path.write_text("".join(f"{line}\n" for line in written), encoding="utf-8")
    return *paths, len(lines) - 1


def _measure(setup: Setup, command: Sequence[str], files: tuple[Path, Path, int]) -> dict[str, float]:
    """Twice: with all lines, and with one, whose time is that of the start."""
    whole, one, more = files
    started, seconds = setup.programs.run(command, one), setup.programs.run(command, whole)
    return {
        "sentences/s": (more + 1) / seconds,
        "sentences/s, start-up left out": more / max(seconds - started, 1e-9),
    }

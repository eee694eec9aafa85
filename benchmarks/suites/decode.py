"""The translator alone, in this process: sentences/s by batch size, and how long a single sentence takes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from benchmarks.suites.contest import Contest, Entrant
from benchmarks.suites.peers import ARGOS, ARGOS_BEAM, FIREFOX_TINY, OPUS_MT, Sources, Work
from benchmarks.suites.setup import EVERYDAY, PROSE, Lines, Setup
from benchmarks.suites.timing import one_by_one, rate
from model.config import SearchConfig

BATCHES, QUICK_BATCHES = (1, 8, 32, 128), (1, 32)
GREEDY, BEAM = "greedy", "beam 4"
SEARCHES = {GREEDY: SearchConfig(), BEAM: SearchConfig(beam=4)}
TABLES = [(kind, search) for kind in (EVERYDAY, PROSE) for search in SEARCHES]
QUICK_TABLES = TABLES[:3]
ALONE = "1"
"""The case of one sentence a call; only then it is told how long one waits."""


@contextlib.contextmanager
def contests(setup: Setup) -> Iterator[Sequence[Contest]]:
    """A table for each kind of lines and each search, a case for each batch size; and what the lines are like."""
    tables, batches = (QUICK_TABLES, QUICK_BATCHES) if setup.quick else (TABLES, BATCHES)
    kinds = dict.fromkeys(kind for kind, _ in tables)
    facts = [_facts(kind, setup.lines(kind)) for kind in kinds]
    yield [*facts, *(_contest(setup, kind, search, batch) for kind, search in tables for batch in batches)]


def _facts(kind: str, lines: Lines) -> Contest:
    return Contest("the lines", kind, (Entrant("Traghetto", lambda: lines.facts),))


def _contest(setup: Setup, kind: str, search: str, batch: int) -> Contest:
    lines, config = setup.lines(kind), SEARCHES[search]
    works = [Work(shape, batch, config.beam, lines.output_length) for shape in (OPUS_MT, FIREFOX_TINY)]
    peers = [_theirs(setup, work, lines.sources) for work in works]
    if batch == 1 and config.beam == ARGOS_BEAM:
        asked = partial(setup.peers.argos, length=lines.output_length)
        peers.append(Entrant(ARGOS, partial(one_by_one, asked, lines.sources, setup.seconds), yardstick=True))
    return Contest(f"{kind}, {search}", str(batch), (*_ours(setup, lines, batch, config), *peers))


def _ours(setup: Setup, lines: Lines, batch: int, config: SearchConfig) -> Iterator[Entrant]:
    """The whole way, and the way without second tries."""
    for name, way in (("Traghetto", config), ("Traghetto, without second tries", replace(config, retry=False))):
        translate = partial(setup.translator.translate, search=way)
        translate(lines.texts[:batch])  # warm
        alone = partial(one_by_one, translate, lines.texts, setup.seconds)
        yield Entrant(name, alone if batch == 1 else partial(rate, translate, lines.texts, batch, setup.seconds))


def _theirs(setup: Setup, work: Work, sources: Sources) -> Entrant:
    """One shape, in its best thread setting: as many sentences in one call as it can do in the time, for it sorts them
    by length and keeps all its threads at work."""
    threads, per_s = setup.peers.best_threads(work, sources)
    translate = partial(setup.peers.translate, work, threads)
    if work.batch == 1:
        measure = partial(one_by_one, translate, sources, setup.seconds)
    else:
        at_once = work.batch * threads[0]
        count = at_once * max(1, round(per_s * setup.seconds / at_once))
        measure = partial(rate, translate, sources, min(count, len(sources)), setup.seconds / 2)
    return Entrant(work.shape.name, measure, yardstick=True)

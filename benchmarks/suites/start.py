"""From the start of a process until it has translated something: what one waits for, and what a restart costs."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence

from benchmarks.suites.contest import Contest, Entrant
from benchmarks.suites.peers import OPUS_MT, Work
from benchmarks.suites.processes import TRANSLATE, Programs
from benchmarks.suites.setup import EVERYDAY, Setup

LINE, SERVER, NEW = (
    "first line of traghetto translate",
    "first answer of traghetto serve",
    "the same, new data directory",
)


@contextlib.contextmanager
def contests(setup: Setup) -> Iterator[Sequence[Contest]]:
    """Three cases, each beside a Python program that loads CTranslate2 and translates one line."""
    lines = setup.lines(EVERYDAY)
    text, tokens = lines.texts[0], " ".join(lines.sources[0][:-1])
    command = setup.peers.command(Work(OPUS_MT, 1, 1, lines.output_length), (1, 1))
    peer = Entrant(
        f"{OPUS_MT.name}, first line", lambda: {"s": setup.programs.first_line(command, tokens)}, yardstick=True
    )
    numbers = itertools.count()

    def from_server(programs: Programs) -> dict[str, float]:
        with programs.serving(text) as server:
            return {"s": server.first_answer_s}

    from_server(setup.programs)  # makes the database
    ours = {
        LINE: lambda: {"s": setup.programs.first_line(TRANSLATE, text)},
        SERVER: lambda: from_server(setup.programs),
        NEW: lambda: from_server(Programs(setup.scratch / f"data-{next(numbers)}")),
    }
    yield [
        Contest("from start to answer", case, (Entrant("Traghetto", measure), peer)) for case, measure in ours.items()
    ]

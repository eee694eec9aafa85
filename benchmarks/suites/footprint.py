"""Memory that is resident: of a server with both directions that has worked, and of a long file's translation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.suites.contest import Contest, Entrant
from benchmarks.suites.peers import OPUS_MT, Work
from benchmarks.suites.processes import TRANSLATE
from benchmarks.suites.setup import EVERYDAY, Setup

WARM_UP = 200
PEER_LINES = 200
ENGLISH = "She was waiting for the bus when it started to rain, and number {} came half an hour late."


@contextlib.contextmanager
def contests(setup: Setup) -> Iterator[Sequence[Contest]]:
    """Two cases; the peer has two models, or one, and a shorter file. None where the system does not tell (`/proc`)."""
    if not Path("/proc/self/status").exists():
        yield []
        return
    lines = setup.lines(EVERYDAY)
    text, tokens = setup.scratch / "long.text", setup.scratch / "short.tokens"
    text.write_text("".join(f"{line}\n" for line in lines.texts), encoding="utf-8")
    tokens.write_text("".join(f"{' '.join(row[:-1])}\n" for row in lines.sources[:PEER_LINES]), encoding="utf-8")

    def theirs(models: int) -> Entrant:
        command = setup.peers.command(Work(OPUS_MT, 32, 1, lines.output_length), (1, 1), models)
        measure = partial(_peak, setup, command, tokens)
        return Entrant(f"{OPUS_MT.name}, as many models", measure, yardstick=True)

    served = Entrant("Traghetto", partial(_serve, setup, lines.texts))
    translated = Entrant("Traghetto", partial(_peak, setup, TRANSLATE, text))
    yield [
        Contest("resident memory", f"traghetto serve, {WARM_UP} translations each way", (served, theirs(2))),
        Contest("resident memory", f"traghetto translate, {len(lines.texts):,} lines", (translated, theirs(1))),
    ]


def _peak(setup: Setup, command: Sequence[str], given: Path) -> dict[str, float]:
    return {"MB": setup.programs.peak_mb(command, given)}


def _serve(setup: Setup, texts: Sequence[str]) -> dict[str, float]:
    """Resident memory of `traghetto serve` once it has translated in both directions."""
    with setup.programs.serving(texts[0]) as server:
        for number, text in enumerate(texts[:WARM_UP]):
            server.translate(text)
            server.translate(ENGLISH.format(number), "en", "it")
        return {"MB": server.resident_mb()}

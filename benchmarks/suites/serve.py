"""The server over HTTP beside the translator alone, and what one user waits for while others have much to ask.

Clients are processes of their own on the same cores (`benchmarks/load.py`). Every answer is compared with the
translator's, or with the first answer to the same text. The beam is the server's own unless a table says otherwise.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

from app.settings import Settings
from benchmarks.load import Report, ask
from benchmarks.sentences import nonsense, prose
from benchmarks.suites.clients import Clients
from benchmarks.suites.contest import Contest, Entrant
from benchmarks.suites.setup import EVERYDAY, Setup
from benchmarks.suites.timing import percentile, rate
from model.config import SearchConfig

OURS, BARE = "Traghetto over HTTP", "the translator alone"
SINGLE, LISTS, GREEDY = "closed loop, single sentences", "closed loop, lists of 16", "closed loop, greedy"
OPEN, BESIDE = "open loop, single sentences", "a short sentence now and then"
LIST, BARE_BATCH = 16, 128
VERIFIED = 256
"""Lines whose translations are known from the start."""
CYCLES = 4
"""Requests of each client in one measurement, at least."""
OPEN_LOAD, OPEN_CONNECTIONS = 0.5, 256
"""Requests a second of the open loop: this share of what the translator alone does."""
BULK = ("5,000 sentences, in 50 requests at once", 5000, 100)
HOSTILE_TEXTS, HOSTILE_CHARS = 5, 10_000
"""What one request may hold."""
ASKED, PAUSE_S = 40, 0.02
"""Short sentences, one after the other, and the pause after each."""


@contextlib.contextmanager
def contests(setup: Setup) -> Iterator[Sequence[Contest]]:
    """Loops of clients, and one client beside others."""
    # a sentence that is asked for twice at once is translated once, and some everyday lines are often there
    texts, beam = list(dict.fromkeys(setup.lines(EVERYDAY).texts)), Settings().default_beam
    with setup.programs.serving(texts[0]) as server:
        suite = _Suite(setup, Clients(server, setup.scratch), texts)
        suite.verify({1, beam})
        closed = [
            *(suite.closed(SINGLE, _clients(count), beam, count) for count in (1, 16, 64, 256)),
            *(suite.closed(LISTS, _clients(count), beam, count, LIST) for count in (1, 16, 64)),
            suite.closed(GREEDY, "64 clients, single sentences", 1, 64),
            suite.closed(GREEDY, "64 clients, lists of 16", 1, 64, LIST),
        ]
        bulk, hostile = prose(BULK[1]), " ".join(nonsense(HOSTILE_TEXTS * HOSTILE_CHARS // 20))
        cuts = range(0, HOSTILE_TEXTS * HOSTILE_CHARS, HOSTILE_CHARS)
        beside = [
            suite.beside(f"beside {BULK[0]}", bulk, BULK[2]),
            suite.beside("beside 50,000 characters of nonsense", [hostile[cut : cut + HOSTILE_CHARS] for cut in cuts],
                         HOSTILE_TEXTS),
        ]  # fmt: skip
        chosen = [one for one in closed if "64 clients" in one.case] if setup.quick else [*closed, suite.open(beam)]
        yield [*chosen, *beside]


class _Suite:
    """What one run measures."""

    def __init__(self, setup: Setup, clients: Clients, texts: Sequence[str]) -> None:
        self._setup, self._clients, self._texts = setup, clients, texts
        self._usual = functools.cache(lambda beam: self._bare(beam)["sentences/s"])

    def verify(self, beams: Collection[int]) -> None:
        """Let the clients know what the translator makes of some of the lines."""
        some = self._texts[:VERIFIED]
        for beam in beams:
            found = self._setup.translator.translate(some, SearchConfig(beam=beam))
            self._clients.know(beam, dict(zip(some, (one.text for one in found), strict=True)))

    def closed(self, table: str, case: str, beam: int, clients: int, per_request: int = 0) -> Contest:
        """Clients that each wait for their answer before they ask again."""

        def measure() -> Mapping[str, float]:
            least = CYCLES * clients * max(1, per_request)
            texts = self._some(max(least, round(self._usual(beam) * self._setup.seconds)))
            return _figures(self._clients.ask(texts, clients, beam, per_request=per_request))

        ours = Entrant(OURS, measure)
        return Contest(table, case, (ours, Entrant(BARE, partial(self._bare, beam), yardstick=True)))

    def open(self, beam: int) -> Contest:
        """Requests that come whether or not others are answered."""

        def measure() -> Mapping[str, float]:
            per_s = OPEN_LOAD * self._usual(beam)
            texts = self._some(round(per_s * 4 * self._setup.seconds))
            return _figures(self._clients.ask(texts, OPEN_CONNECTIONS, beam, per_s=per_s))

        return Contest(OPEN, f"{OPEN_LOAD:.0%} of what the translator alone does", (Entrant(OURS, measure),))

    def beside(self, case: str, others: Sequence[str], per_request: int) -> Contest:
        """Short sentences one after the other, while another user wants the translations of `others`."""

        def measure() -> Mapping[str, float]:
            with self._clients.asking(others, per_request):
                return self._now_and_then()

        return Contest(BESIDE, case, (Entrant(OURS, measure), Entrant("alone", self._now_and_then, yardstick=True)))

    def _now_and_then(self) -> dict[str, float]:
        short = [text for text in dict.fromkeys(self._texts) if len(text.split()) <= 5][:ASKED]
        waits = []
        for text in short:
            waits.append(ask(self._clients.url, [text], 1).longest_ms)
            time.sleep(PAUSE_S)
        return {f"ms (p{share:.0f})": percentile(waits, share / 100) for share in (50, 95)}

    def _bare(self, beam: int) -> dict[str, float]:
        translate = partial(self._setup.translator.translate, search=SearchConfig(beam=beam))
        return rate(translate, self._texts, BARE_BATCH, self._setup.seconds)

    def _some(self, count: int) -> list[str]:
        """As many of the lines, over and over where there are not so many."""
        return [self._texts[number % len(self._texts)] for number in range(count)]


def _clients(count: int) -> str:
    return f"{count} client{'s' if count > 1 else ''}"


def _figures(report: Report) -> dict[str, float]:
    waits = {"ms (p50)": report.p50_ms, "ms (p95)": report.p95_ms, "ms (p99)": report.p99_ms}
    return {"sentences/s": report.sentences_per_s, **waits}

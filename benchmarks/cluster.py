"""What Ray Serve costs: `python -m benchmarks.cluster`. Prints one JSON object; `--results FILE` keeps it, too.

One server as it is, and one replica behind Ray's own proxy and behind HAProxy, started side by side and asked in turn,
for single sentences and for lists of 16: by one client that waits for each answer, by many at once, and by many for
texts in which there is nothing to translate. Told are waits, requests a second, and the processor time of each request:
of the server or replica, of the proxy, and of the rest of that Ray, beyond what they take when nobody asks.

All share this machine's cores with each other and with who asks, so that waits and requests a second may be compared
within one run only. Processor time is not lengthened by taking turns.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import parts
from benchmarks.load import ask
from benchmarks.results import machine
from benchmarks.sentences import sentences
from benchmarks.servers import served
from benchmarks.suites.timing import percentile

ADMIN_KEY = "cluster-0123456789abcdef"
ON_RAY = ("--cluster", "--replicas", "1")


class Kind(NamedTuple):
    """A way to serve."""

    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    proxy: re.Pattern[bytes] | None = None
    """How the command line of the process begins that passes requests on."""


KINDS = {
    "uvicorn": Kind(),
    "ray": Kind(ON_RAY, {}, parts.RAYS_PROXY),
    "haproxy": Kind(ON_RAY, {"RAY_SERVE_ENABLE_HA_PROXY": "1"}, parts.HAPROXY),
}


class Shape(NamedTuple):
    """What is asked in one round."""

    per_request: int
    """Sentences of a list; 0: one, not in a list."""
    alone: int
    """Requests of one client."""
    clients: int
    """How many ask at once."""
    requests: int
    """Of all of those."""


SHAPES = {"single": Shape(0, 60, 32, 512), "list of 16": Shape(16, 12, 8, 96)}
ALONE, AT_ONCE, UNTRANSLATED = "one client", "many clients", "nothing to translate"
NUMBER = "12345"
"""A text that is answered as it is, without the engine: all that is left is what a request costs."""
WARM, IDLE_S = 160, 20.0
Figures = dict[str, float]


class Running(NamedTuple):
    """A server of one kind, and what it takes when nobody asks."""

    url: str
    program: parts.Program
    idle: Figures
    """Cores, by part."""

    def ask(self, shape: Shape, requests: int, clients: int, texts: Sequence[str]) -> Figures:
        """Have `texts` translated; what that took.

        Raises:
            RuntimeError: a request failed.
        """
        before = self.program.clocks()
        found = ask(self.url, texts, clients, per_request=shape.per_request)
        spent = self.program.spent(before)
        if found.failed:
            raise RuntimeError(f"{found.failed} of {requests} requests failed")
        return {
            "per_s": requests / found.seconds,
            "p50_ms": found.p50_ms,
            "p95_ms": found.p95_ms,
            **parts.per_request_ms(spent, self.idle, found.seconds, requests),
            "client_ms": 1000 * found.client_cpu_s / requests,
        }

    def round(self, shape: Shape, seed: int) -> dict[str, Figures]:
        """One round of each."""
        size = shape.per_request or 1
        return {
            ALONE: self.ask(shape, shape.alone, 1, sentences(size * shape.alone, seed)),
            AT_ONCE: self.ask(shape, shape.requests, shape.clients, sentences(size * shape.requests, seed)),
            UNTRANSLATED: self.ask(shape, shape.requests, shape.clients, [NUMBER] * (size * shape.requests)),
        }


@contextlib.contextmanager
def _started(folder: Path) -> Iterator[dict[str, Running]]:
    """A server of each kind, warm; they have been watched while nobody asked."""
    with contextlib.ExitStack() as servers:
        programs: dict[str, tuple[str, parts.Program]] = {}
        for name, kind in KINDS.items():
            environment = {"TRAGHETTO_ADMIN_KEY": ADMIN_KEY, "TRAGHETTO_TORCH_THREADS": "1", **kind.environment}
            port = servers.enter_context(served(folder / name, kind.options, environment))
            programs[name] = (f"http://127.0.0.1:{port}", parts.Program(parts.child(port), kind.proxy))
        for url, _ in programs.values():
            for shape in SHAPES.values():
                ask(url, sentences(WARM, 0), shape.clients, per_request=shape.per_request)
        before = {name: program.clocks() for name, (_, program) in programs.items()}
        time.sleep(IDLE_S)
        yield {
            name: Running(url, program, {part: s / IDLE_S for part, s in program.spent(before[name]).items()})
            for name, (url, program) in programs.items()
        }


def measure(rounds: int) -> dict[str, Any]:
    """All of it: medians of the rounds, by kind and shape."""
    found: dict[tuple[str, str], list[dict[str, Figures]]] = {(kind, shape): [] for kind in KINDS for shape in SHAPES}
    with tempfile.TemporaryDirectory() as folder, _started(Path(folder)) as servers:
        for seed in range(1, rounds + 1):
            for kind, shape in found:
                found[kind, shape].append(servers[kind].round(SHAPES[shape], seed))
        idle = {kind: {part: round(cores, 4) for part, cores in one.idle.items()} for kind, one in servers.items()}
    return {
        "machine": machine.describe(),
        "rounds": rounds,
        "idle_cores": idle,
        "medians": {kind: {shape: medians(found[kind, shape]) for shape in SHAPES} for kind in KINDS},
    }


def medians(rounds: Sequence[Mapping[str, Figures]]) -> dict[str, Figures]:
    """Of each figure, over the rounds."""
    return {
        who: {name: round(percentile([one[who][name] for one in rounds], 0.5), 3) for name in figures}
        for who, figures in rounds[0].items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="of each kind, in turn [5]")
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="to keep them in, such as docs/results/cluster.json"
    )
    options = parser.parse_args()
    text = json.dumps(measure(options.rounds), indent=1) + "\n"
    sys.stdout.write(text)
    if options.results:
        options.results.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""What one core does: batches by the translator alone, and what a server adds to each request.

Times are processor time, which other work on the machine does not lengthen by taking turns, though it does by using the
same caches. All sizes are measured in each round, one after the other.
"""

from __future__ import annotations

import contextlib
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.capacity.service import FULL, Service
from benchmarks.load import Report, ask
from benchmarks.parts import processor_s
from benchmarks.results import machine
from benchmarks.sentences import sentences
from benchmarks.suites.processes import Programs, Server
from model.config import SearchConfig
from model.translator import Translator
from model.versions.store import BUNDLED, find

SIZES = (1, 2, 4, 8, 16, 32, 64)
ROUNDS, SAMPLES = 5, 8
"""Of each size: so many rounds, and so many batches in each."""
COUNT, SEED, BEAM = 4096, 1, 4
ASKED, CLIENTS = 1500, 32
"""Requests that say what one costs, and how many clients ask."""
LOADS = 3


def measure(command: str) -> Service:
    """Measure on this machine, on one of its cores."""
    with on_core(0):
        loads = []
        for _ in range(LOADS):
            started = time.process_time()
            translator = Translator.load(find([BUNDLED], "it-en"), "cpu")
            translator.translate(["Buongiorno."])
            loads.append(time.process_time() - started)
        batches = _batches(translator)
        tokens = translator.count_tokens(sentences(COUNT, SEED))
    request_s, start_s = _request(statistics.fmean(batches[FULL]) / FULL)
    return Service(
        batches, tokens, request_s, statistics.median(loads), start_s, BEAM, machine.describe(), command
    )  # fmt: skip


def _batches(translator: Translator) -> dict[int, list[float]]:
    """Seconds of processor time of each batch, by its size."""
    texts, rng, search = sentences(COUNT, SEED), random.Random(SEED), SearchConfig(beam=BEAM)
    translator.translate(texts[:64], search)  # warm
    taken: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(ROUNDS):
        for size in SIZES:
            for _ in range(SAMPLES * (4 if size < 4 else 1)):
                batch = rng.sample(texts, size)
                started = time.process_time()
                translator.translate(batch, search)
                taken[size].append(round(time.process_time() - started, 6))
    return taken


def _request(translation_s: float) -> tuple[float, float]:
    """Processor time of the server that a request costs beside its translation, and how long the server took to start.

    So many clients ask that batches are full. To one alone a request costs more, for threads sleep and are woken.
    """
    with serving() as server:
        load(server, ASKED // 3, clients=CLIENTS)
        before = processor_s(server.pid)
        load(server, ASKED, clients=CLIENTS, seed=3)
        return max(0.0, (processor_s(server.pid) - before) / ASKED - translation_s), server.first_answer_s


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """`traghetto serve` with one core to itself, as far as we can give it that; this process has the others."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        with on_core(0):
            server = stack.enter_context(Programs(Path(folder)).serving("Buongiorno."))
        with on_core(-1):
            yield server


def load(server: Server, count: int, *, clients: int, per_s: float = 0.0, seed: int = 2) -> Report:
    """Ask `server` for single sentences, none of them twice at once."""
    return ask(f"http://127.0.0.1:{server.port}", sentences(count, seed), clients, per_s=per_s)


@contextlib.contextmanager
def on_core(index: int) -> Iterator[None]:
    """Let this process, and what it starts, use one of its cores only; nothing where that cannot be chosen."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[index]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def waited_s(pid: int) -> float:
    """How long the threads of a process were ready to run and had no core; Linux only."""
    total = 0.0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((thread / "schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    return total

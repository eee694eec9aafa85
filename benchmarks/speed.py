"""Sentences a second and latency of one program, round by round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.peer import Peer, Shape, random_sources, thread_settings, write
from model.translator import Translator

BATCHES = (1, 32, 64, 128)
"""Sentences of one call."""
SINGLE_SHARE = 8
"""One by one takes long: this part of the sentences is enough."""


@dataclass
class Results:
    """Medians are taken over the rounds."""

    name: str
    parameters: int
    setting: str = ""
    sentences_per_s: dict[int, list[float]] = field(default_factory=lambda: {batch: [] for batch in BATCHES})
    latencies_ms: list[float] = field(default_factory=list)

    def rate(self, batch: int) -> float:
        """Sentences a second."""
        return statistics.median(self.sentences_per_s[batch])

    def percentile_ms(self, share: float) -> float:
        """Latency of a single sentence."""
        ordered = sorted(self.latencies_ms)
        return ordered[int(share * (len(ordered) - 1))]

    def to_dict(self) -> dict[str, object]:
        """As JSON."""
        rates = {str(batch): round(self.rate(batch), 1) for batch in BATCHES}
        latency = {"p50_ms": round(self.percentile_ms(0.5), 2), "p95_ms": round(self.percentile_ms(0.95), 2)}
        return {"name": self.name, "parameters": self.parameters, "setting": self.setting, "rates": rates, **latency}


Run = Callable[[int, int], None]
"""(first sentences to take, batch) -> translated."""


def measure(results: Results, run: Run, count: int) -> None:
    """One round of one program: `count` sentences at each batch size, an eighth of them one by one."""
    for batch in BATCHES:
        taken = count // SINGLE_SHARE if batch == 1 else count
        started = time.perf_counter()
        run(taken, batch)
        results.sentences_per_s[batch].append(taken / (time.perf_counter() - started))


def measure_latency(results: Results, one: Callable[[int], None], count: int) -> None:
    """`count` single sentences, one after the other."""
    for index in range(count):
        started = time.perf_counter()
        one(index)
        results.latencies_ms.append(1000 * (time.perf_counter() - started))


class Ours:
    """The translator as the server uses it."""

    def __init__(self, translator: Translator, parameters: int, texts: Sequence[str]) -> None:
        self.translator, self.texts = translator, texts
        self.results = Results(f"Traghetto {translator.pair} {translator.version}", parameters, translator.kernels)

    def round(self, count: int) -> None:
        """Measure once."""
        measure(self.results, self._run, count)
        measure_latency(self.results, lambda index: self._one(self.texts[index]), count // SINGLE_SHARE)

    def _run(self, count: int, batch: int) -> None:
        for start in range(0, count, batch):
            self.translator.translate(self.texts[start : min(start + batch, count)])

    def _one(self, text: str) -> None:
        self.translator.translate([text])


class Theirs:
    """CTranslate2 with one shape, and each setting of its threads."""

    def __init__(self, shape: Shape, folder: Path, lengths: Sequence[int], output_length: int) -> None:
        write(shape, folder)
        self.sources, self.output_length = random_sources(lengths, shape), output_length
        self.variants = [
            (Peer(folder, threads), Results(shape.name, shape.parameters, f"int8, {threads[0]} x {threads[1]} threads"))
            for threads in thread_settings()
        ]

    def round(self, count: int) -> None:
        """Measure each setting once."""
        for peer, results in self.variants:
            measure(results, partial(self._run, peer), count)
            measure_latency(results, partial(self._one, peer), count // SINGLE_SHARE)

    def best(self) -> Results:
        """The best of the settings at each batch size, and the best latency."""
        found = [results for _, results in self.variants]
        best = max(found, key=lambda results: results.rate(BATCHES[-1]))
        chosen = Results(best.name, best.parameters, f"{best.setting} (each figure by its best setting)")
        for batch in BATCHES:
            chosen.sentences_per_s[batch] = max(found, key=lambda r: r.rate(batch)).sentences_per_s[batch]
        chosen.latencies_ms = min(found, key=lambda results: results.percentile_ms(0.5)).latencies_ms
        return chosen

    def _run(self, peer: Peer, count: int, batch: int) -> None:
        peer.translate(self.sources[:count], batch, self.output_length)

    def _one(self, peer: Peer, index: int) -> None:
        peer.translate(self.sources[index : index + 1], 1, self.output_length)

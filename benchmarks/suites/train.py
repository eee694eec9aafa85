"""Training steps of the trainer on fixed batches of our own lines, beside the same in PyTorch's own layers."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence

import torch

from benchmarks.suites.contest import Contest, Entrant
from benchmarks.suites.setup import EVERYDAY, PROSE, SEED, Setup
from model.kernels.cores import usable_cores
from model.kernels.malloc import keep_freed_memory
from model.network.batch import Batch
from model.network.seq2seq import Seq2Seq
from model.versions.store import load
from training.config import OptimSettings, Phase
from training.run.batching import Encoded, cut_batches
from training.run.loop import train_step
from training.run.optim import Optimiser
from training.run.precision import fit_kernels

PAIRS = 256
"""Of each kind of lines; the targets are our own translations."""
BATCH_TOKENS = 2048
PHASE = Phase(until=1.0, shares={"lines": 1.0}, word_dropout=0.03)
RATE = 1e-4
LAYERS = "PyTorch's own layers"


@contextlib.contextmanager
def contests(setup: Setup) -> Iterator[Sequence[Contest]]:
    """One case."""
    keep_freed_memory()  # as training does, and:
    torch.set_num_threads(usable_cores())
    batches = _batches(setup)
    entrants = [
        Entrant(name, _stepping(setup, batches, fit), yardstick=name == LAYERS)
        for name, fit in (("Traghetto", fit_kernels), (LAYERS, lambda model: None))
    ]
    yield [Contest("training", f"batches of {BATCH_TOKENS:,} tokens", tuple(entrants))]


def _batches(setup: Setup) -> list[Batch]:
    version = load(setup.version)
    texts = [text for kind in (EVERYDAY, PROSE) for text in setup.lines(kind).texts[:PAIRS]]
    made = [translation.text for translation in setup.translator.translate(texts)]
    sides = zip(version.source.encode_batch(texts), version.target.encode_batch(made), strict=True)
    pairs = [Encoded(source, target) for source, target in sides]
    return [
        Batch.of([pairs[row].source for row in rows], [pairs[row].target for row in rows])
        for rows in cut_batches(pairs, BATCH_TOKENS)
    ]


def _stepping(setup: Setup, batches: Sequence[Batch], fit: Callable[[Seq2Seq], None]) -> Callable[[], dict[str, float]]:
    """Updates of a network of the version's shape, begun anew, that `fit` has made ready."""
    torch.manual_seed(SEED)
    model = Seq2Seq(setup.translator.config)
    fit(model)
    optimiser, numbers = Optimiser(model.train(), OptimSettings()), itertools.count()

    def step(batch: Batch) -> int:
        loss = train_step(model, batch, PHASE)
        optimiser.step(next(numbers), RATE)
        return loss.tokens

    def measure() -> dict[str, float]:
        tokens, started = 0, time.perf_counter()
        for batch in itertools.cycle(batches):
            tokens += step(batch)
            if time.perf_counter() - started >= setup.seconds:
                break
        return {"target tokens/s": tokens / (time.perf_counter() - started)}

    step(batches[0])  # warm
    return measure

"""Adapts a model to a few corrections without losing the rest.

A batch holds some corrections, of which the model learns the tokens that it would not say yet and leaves the others
alone, and several times as many replayed pairs, on which it is held to what it said before: the Kullback-Leibler
divergence from its old distributions (learning without forgetting, Li & Hoiem 2016, on rehearsed text, Robins 1995).
That keeps the old translations where plain replay still changes one in ten; docs/lab-log.md has the comparison. Where
there is nothing to replay, the weights are pulled back to where they began (L2-SP, Li et al. 2018). What comes out is
the running average of the weights.
"""

from __future__ import annotations

import copy
import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from model.config import JsonConfig, require
from model.network.batch import Batch
from model.network.seq2seq import Seq2Seq
from model.text.ids import PAD
from model.text.tokenizer import Tokenizer
from training.config import OptimSettings
from training.run.batching import Encoded
from training.run.likelihood import nats_per_token
from training.run.optim import Optimiser
from training.run.precision import fit_kernels

FRACTIONS = (0.25, 0.375, 0.5, 0.75, 1.0)
"""Shares of the longest run after which held-out corrections are looked at."""


@dataclass(frozen=True)
class Material:
    """What a model is adapted to, and what it is reminded of."""

    corrections: Sequence[Encoded]
    replay: Sequence[Encoded]


Reached = Callable[[int, Seq2Seq], None]
"""Told the step and given the averaged weights."""


@dataclass(frozen=True)
class AdaptationSettings(JsonConfig):
    """How a model is adapted. The defaults were chosen by experiment: docs/lab-log.md, 25 and 29 November 2026."""

    seed: int = 1
    learning_rate: float = 3e-4
    warmup_steps: int = 8
    corrections_per_batch: int = 12
    replay_ratio: float = 4.0
    """Replayed pairs for each correction of a batch."""
    keep: float = 12.0
    """Weight of the divergence from the old model, in nats a token, beside the loss on corrections."""
    passes: float = 6.0
    """How often each correction is seen at most; held-out ones say when it is enough."""
    least_steps: int = 32
    """The longest run has at least so many steps: few corrections are seen more often."""
    ema_decay: float = 0.95
    anchor: float = 0.05
    """Without replay: how far back to the first weights each step goes, as a share of the way."""
    enough: float = 0.7
    """Probability from which on a token of a correction teaches nothing more: it would only cost other sentences."""

    def __post_init__(self) -> None:
        require(0 < self.learning_rate < 1, "learning_rate must be in (0, 1)")
        require(self.corrections_per_batch >= 1, "corrections_per_batch must be at least 1")
        require(self.replay_ratio >= 0 and self.keep >= 0, "replay_ratio and keep must be 0 or more")
        require(self.passes > 0 and self.least_steps >= 1, "passes and least_steps must be above 0")
        require(0 < self.enough <= 1, "enough must be in (0, 1]")
        require(0 <= self.anchor < 1 and 0 <= self.ema_decay < 1, "anchor and ema_decay must be in [0, 1)")

    def stops(self, corrections: int) -> list[int]:
        """Steps after which a run on so many corrections is looked at; the last is its end."""
        most = max(self.least_steps, round(self.passes * corrections / self.corrections_per_batch))
        return [max(1, round(most * fraction)) for fraction in FRACTIONS]


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@_one_thread()
def adapt(
    model: Seq2Seq,
    material: Material,
    settings: AdaptationSettings,
    stops: Sequence[int],
    reached: Reached,
    each_step: Callable[[], None] = lambda: None,
) -> None:
    """Train `model`, which is used up, to the last of `stops`; `reached` is told of each of them.

    Dropout is off: it would disturb what shall stay, and held-out corrections gained nothing by it. On one thread: the
    same comes out whatever the number of cores, the kernels for training are at their best, and a server that uses all
    cores beside it does not bring it to a stand.
    """
    optim = OptimSettings(peak_learning_rate=settings.learning_rate, weight_decay=0.0, ema_decay=settings.ema_decay)
    optimiser = Optimiser(model.eval(), optim)  # first, while the weights are as they were read: bf16 rounds them
    fit_kernels(model)
    old = copy.deepcopy(model).requires_grad_(False).eval()
    start = [master.clone() for master in optimiser.masters]
    batches = _batches(material, settings)
    for step in range(stops[-1]):
        _backward(model, old, *next(batches), settings)
        optimiser.step(step, settings.learning_rate * min(1.0, (step + 1) / max(1, settings.warmup_steps)))
        if not material.replay and settings.anchor:
            with torch.no_grad():
                torch._foreach_lerp_(optimiser.masters, start, settings.anchor)
        each_step()
        if step + 1 in stops:
            reached(step + 1, _averaged(model, optimiser))


def _backward(model: Seq2Seq, old: Seq2Seq, ours: Batch, others: Batch | None, settings: AdaptationSettings) -> None:
    """Leave the gradients of one step on `model`: learn `ours`, and say of `others` what `old` says."""
    asked = ours.labels != PAD
    nats = -_log_softmax(model, ours, asked).gather(1, ours.labels[asked][:, None])[:, 0]
    nats.where(nats > -math.log(settings.enough), 0.0).mean().backward()  # type: ignore[no-untyped-call]
    if others is None:
        return
    kept = others.labels != PAD
    wanted = _log_softmax(old, others, kept)  # needs no `no_grad`, in which the faster kernels are not used
    divergence = (wanted.exp() * (wanted - _log_softmax(model, others, kept))).sum(dim=-1).mean()
    (settings.keep * divergence).backward()  # type: ignore[no-untyped-call]


def _log_softmax(model: Seq2Seq, batch: Batch, kept: Tensor) -> Tensor:
    """Log-probabilities `[tokens, vocab]` at the positions `kept` `[batch, target]`, in fp32."""
    return torch.log_softmax(model.output(model(batch)[kept].float()), dim=-1)


def _averaged(model: Seq2Seq, optimiser: Optimiser) -> Seq2Seq:
    """The averaged weights in a model of their own, fp32, for evaluation."""
    averaged = Seq2Seq(model.config)
    optimiser.average_into(averaged)
    return averaged.eval()


def _batches(material: Material, settings: AdaptationSettings) -> Iterator[tuple[Batch, Batch | None]]:
    """Endless: a few corrections, each once a pass, and the pairs that are replayed beside them."""
    rng = random.Random(settings.seed)
    ours, others = _shuffled(material.corrections, rng), _shuffled(material.replay, random.Random(settings.seed + 1))
    count = min(len(material.corrections), settings.corrections_per_batch)
    replayed = round(count * settings.replay_ratio) if material.replay else 0
    while True:
        yield _batch(itertools.islice(ours, count)), _batch(itertools.islice(others, replayed)) if replayed else None


def _batch(pairs: Iterator[Encoded]) -> Batch:
    chosen = list(pairs)
    return Batch.of([pair.source for pair in chosen], [pair.target for pair in chosen])


def _shuffled(pairs: Sequence[Encoded], rng: random.Random) -> Iterator[Encoded]:
    while pairs:
        yield from rng.sample(pairs, len(pairs))


def encode(
    pairs: Sequence[tuple[str, str]], tokenizers: tuple[Tokenizer, Tokenizer], max_tokens: int
) -> list[Encoded | None]:
    """Source and target as ids; None for a pair that is empty or too long on either side."""
    found = [Encoded(tokenizers[0].encode(source), tokenizers[1].encode(target)) for source, target in pairs]
    return [pair if all(0 < len(side) <= max_tokens for side in pair) else None for pair in found]


def log_probs(model: Seq2Seq, pairs: Sequence[Encoded]) -> list[float]:
    """Mean natural log-probability of the tokens of each given target, the end mark included."""
    return [-nats for nats in nats_per_token(model, pairs)]

"""Greedy and beam search over any decoder step, batched over sentences and hypotheses; knows no network.

    hypothesis.py   what may be asked of a search, what comes back
    step.py         what a step must offer
    guards.py       what may not be generated
    topk.py         the best tokens, quickly
    greedy.py       the fast path
    beam.py         several hypotheses a sentence

A sentence's result depends on nothing but its own rows: there is no state shared between sentences, and rows of
other sentences that finish only leave the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from model.config import SearchConfig
from model.errors import SearchError
from model.search.beam import beam_search
from model.search.greedy import greedy_search
from model.search.guards import Guard
from model.search.hypothesis import Hypothesis, Options
from model.search.step import S, State, StepFunction, StepOutput, Task
from model.text.ids import PAD

__all__ = ["Hypothesis", "Options", "State", "StepFunction", "StepOutput", "search"]

DEFAULT_OPTIONS = Options()


def search(
    step: StepFunction[S],
    state: S,
    max_lengths: Tensor,
    config: SearchConfig,
    prefix: Tensor | None = None,
    options: Options = DEFAULT_OPTIONS,
) -> list[list[Hypothesis]]:
    """The best `config.n_best` hypotheses of each sentence, best first (finished ones before cut ones).

    Args:
        step: one decoder step; see `StepFunction`.
        state: the decoder's first state, one row a sentence.
        max_lengths: `[batch]` int64: at most so many steps a sentence, the end mark's included.
        config: beam, length normalisation and guards; `beam = 1` is greedy search.
        prefix: `[batch, prefix]` int64: tokens that each result must begin with, PAD after the end of each; guards do
            not apply to them.
        options: further constraints of this call.

    Raises:
        SearchError: the arguments do not fit together, or the decoder gives something else than finite numbers.
    """
    _check(max_lengths, prefix, options)
    if not max_lengths.shape[0]:
        return []
    task = Task(max_lengths, prefix, options.attention, config.length_penalty)
    guard = Guard.of(config, options, max_lengths)
    if options.required is not None and config.beam == 1:
        raise SearchError("what must occur is looked for with a beam")
    with torch.inference_mode():
        if config.beam == 1:
            return greedy_search(step, state, task, guard)
        return beam_search(step, state, task, guard, config, options.required)


def _check(max_lengths: Tensor, prefix: Tensor | None, options: Options) -> None:
    """Raise `SearchError` where the arguments of `search` do not fit together."""
    if max_lengths.dim() != 1 or max_lengths.dtype != torch.int64:
        raise SearchError("max_lengths must be a [batch] tensor of int64")
    batch = max_lengths.shape[0]
    if bool((max_lengths < 1).any()):
        raise SearchError("every max_length must be at least 1")
    if prefix is not None:
        _check_prefix(prefix, max_lengths)
    forbidden = options.forbidden
    if forbidden is not None and (forbidden.dim() not in (1, 2) or (forbidden.dim() == 2 and len(forbidden) != batch)):
        raise SearchError(f"forbidden must be [vocab] or [{batch}, vocab], not {list(forbidden.shape)}")
    if options.required is not None and len(options.required) != batch:
        raise SearchError(f"required must be of {batch} sentences, not {len(options.required)}")
    if options.max_runs is not None and options.max_runs.shape != (batch,):
        raise SearchError(f"max_runs must be [{batch}], not {list(options.max_runs.shape)}")


def _check_prefix(prefix: Tensor, max_lengths: Tensor) -> None:
    if prefix.dim() != 2 or prefix.shape[0] != max_lengths.shape[0] or prefix.dtype != torch.int64:
        raise SearchError(f"prefix must be a [{max_lengths.shape[0]}, prefix] tensor of int64")
    forced = prefix != PAD
    if bool((forced[:, 1:] & ~forced[:, :-1]).any()):
        raise SearchError("a prefix has a gap: PAD may only come after its end")
    if bool((forced.sum(dim=1) >= max_lengths).any()):
        raise SearchError("a prefix leaves no room for the end mark within max_lengths")

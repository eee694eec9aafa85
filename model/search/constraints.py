"""Beam search with tokens that must occur: placeholders, which stand for what must not be lost.

Every hypothesis is also offered the tokens that it still lacks; the beam is shared out among hypotheses that lack none,
one, two ...; none ends before it has all. Of Post & Vilar 2018 (*Fast Lexically Constrained Decoding with Dynamic Beam
Allocation*), for single tokens. Rare, so written for reading: `decode.c` has the fast one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from model.text.ids import EOS, PAD


class Extension(NamedTuple):
    """A live hypothesis of one sentence and one more token."""

    score: float
    log_prob: float
    parent: int
    token: int
    missing: int
    """A bit for each required token, by its place among them, that is not there yet."""


def all_missing(required: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """`[batch, 1]`: what hypotheses lack that have no tokens yet."""
    return torch.tensor([[(1 << len(tokens)) - 1] for tokens in required], device=device)


def extensions(
    log_probs: Tensor, scores: Tensor, missing: Tensor, required: Sequence[int], beam: int, forced: int
) -> list[Extension]:
    """The extensions of one sentence that are kept: those that end, then those that go on, each the best first.

    Args:
        log_probs: `[width, vocab]` of its live hypotheses; minus infinity where a guard forbids.
        scores: `[width]`, minus infinity for an empty slot.
        missing: `[width]`
        required: what must occur, so often as it stands here.
        forced: the next token, or PAD.
    """
    found: list[Extension] = []
    for parent, (score, lacks) in enumerate(zip(scores.tolist(), missing.tolist(), strict=True)):
        best = log_probs[parent].topk(min(log_probs.shape[1], 2 * beam + len(required) + 1)).indices.tolist()
        wanted = [token for place, token in enumerate(required) if lacks >> place & 1]
        fit = [token for token in best if forced != PAD or _may_follow(token, lacks, required)]
        for token in dict.fromkeys((*fit[: 2 * beam], *wanted)):
            log_prob = float(log_probs[parent, token])
            if score + log_prob > float("-inf"):
                found.append(Extension(score + log_prob, log_prob, parent, token, _after(lacks, required, token)))
    found.sort(key=lambda one: -one.score)
    return _shared_out(found, beam, len(required) + 1)


def _shared_out(found: Sequence[Extension], beam: int, banks: int) -> list[Extension]:
    """Of `found`, the best first: what ends among the best whole ones, and a share for each count of missing tokens."""
    whole = [one for one in found if not one.missing][:beam]
    share = beam // banks
    room = [beam - (banks - 1) * share] + [share] * (banks - 1)
    if not share:
        room = [int(bank < beam) for bank in range(banks)]
    kept: list[Extension] = []
    left_over: list[Extension] = []
    for one in found:
        if one.token != EOS:
            bank = one.missing.bit_count()
            (kept if room[bank] else left_over).append(one)
            room[bank] -= room[bank] > 0
    going_on = sorted((*kept, *left_over[: beam - len(kept)]), key=lambda one: -one.score)
    return [*(one for one in whole if one.token == EOS), *going_on]


def _may_follow(token: int, missing: int, required: Sequence[int]) -> bool:
    if token == EOS:
        return not missing
    places = [place for place, wanted in enumerate(required) if wanted == token]
    return not places or any(missing >> place & 1 for place in places)


def _after(missing: int, required: Sequence[int], token: int) -> int:
    """What is missing after `token`, the first of its kind."""
    for place, wanted in enumerate(required):
        if wanted == token and missing >> place & 1:
            return missing & ~(1 << place)
    return missing

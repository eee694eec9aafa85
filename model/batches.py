"""Sentences -> batches of similar length. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

SHARED_FROM_TOKENS = 128
"""Less than this is not worth cutting into batches for several threads."""


def plan_batches(lengths: Sequence[int | None], budget: int, threads: int = 1) -> list[list[int]]:
    """Indexes of `lengths` in batches of similar length, longest first, each at most `budget` tokens with its padding.

    None is left out. One that is longer than the budget gets a batch of its own. The end mark is counted. For several
    `threads` there are as many batches for each, of equal work; they may then pass the budget by a little.
    """
    sizes = {index: length + 1 for index, length in enumerate(lengths) if length is not None}
    order = sorted(sizes, key=lambda index: -sizes[index])
    batches: list[list[int]] = []
    longest = 0
    for index in order:
        if not batches or (len(batches[-1]) + 1) * longest > budget:
            batches.append([])
            longest = sizes[index]
        batches[-1].append(index)
    total = sum(sizes.values())
    if threads == 1 or total < SHARED_FROM_TOKENS:
        return batches
    parts: list[list[int]] = [[] for _ in range(threads * math.ceil(len(batches) / threads))]
    before = 0
    for index in order:
        parts[(before + sizes[index] // 2) * len(parts) // total].append(index)
        before += sizes[index]
    return [part for part in parts if part]

"""How fast a function is: for a while, not for a number of sentences, since programs differ by orders of magnitude."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
LEAST_ALONE = 5
"""So many single items, however slow."""


def rate(work: Callable[[Sequence[T]], object], items: Sequence[T], at_once: int, seconds: float) -> dict[str, float]:
    """Sentences/s of `work` on `items`, `at_once` of them a call, again and again until `seconds` are over."""
    done, started, elapsed = 0, time.perf_counter(), 0.0
    while not done or elapsed < seconds:
        first = done % (len(items) - at_once + 1)
        work(items[first : first + at_once])
        done += at_once
        elapsed = time.perf_counter() - started
    return {"sentences/s": done / elapsed}


def one_by_one(work: Callable[[Sequence[T]], object], items: Sequence[T], seconds: float) -> dict[str, float]:
    """The same of single items, and how long each waits for its answer."""
    waits: list[float] = []
    while sum(waits) < 1000 * seconds or len(waits) < LEAST_ALONE:
        before = time.perf_counter()
        work([items[len(waits) % len(items)]])
        waits.append(1000 * (time.perf_counter() - before))
    return {
        "sentences/s": 1000 * len(waits) / sum(waits),
        "ms (p50)": statistics.median(waits),
        "ms (p95)": percentile(waits, 0.95),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that at least `share` of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]

"""A moment of waiting between two batches, in the engine's thread."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.engine.queue import Scheduler

LINGER, MAX_LINGER_S = 0.3, 0.02
"""How long the engine may wait for the clients of a batch: a share of that batch's time, and seconds."""
LINGER_STEP_S = 0.0005
"""How often it looks whether they have."""


def linger(queue: Scheduler, served: int, last_s: float, going_on: Callable[[], bool]) -> None:
    """Give the clients of a shared batch a moment to come back, so that the next batch has them all.

    Without it, 64 clients that each wait for their answer fall into two groups, and every batch is half as large
    as it could be: 720 sentences/s instead of 850 where the translator alone does 1,090. The moment ends when as
    many wait as were served or the next batch is full; there is none after a batch of one, nor where second searches
    can be done meanwhile.

    Args:
        served: sentences of the last batch.
        last_s: seconds that it took.
    """
    if served == 1 or queue.waiting_again:
        return
    expected = queue.waiting_units + served
    ends = time.monotonic() + min(MAX_LINGER_S, LINGER * last_s)
    while queue.waiting_units < expected and not queue.batch_is_full and going_on() and time.monotonic() < ends:
        time.sleep(LINGER_STEP_S)

"""What bounds the engine."""

from __future__ import annotations

from dataclasses import dataclass

from app.engine.queue import Capacity

SHARED_BATCH_COST = 640
"""What one of several batches at once may be charged. One core decodes no faster in larger ones: with AVX2 an everyday
sentence took 3.5 ms by a beam of four in batches of 8 to 128, and 3.1 ms alone; greedily 1.2 to 1.4 ms from 4 on."""


@dataclass(frozen=True)
class EngineLimits:
    """Bounds of the engine; `app.settings` describes each."""

    batch_tokens: int
    batch_sentences: int
    queue_tokens: int
    max_beam: int
    at_once: int = 1
    """Batches at once, where the decoder allows several."""

    def capacity(self, *, shared: bool) -> Capacity:
        """What may run at once; `shared`: the decoder allows several batches."""
        if not shared:
            return Capacity(self.batch_tokens)
        return Capacity(min(self.batch_tokens, SHARED_BATCH_COST), self.at_once, has_spare=True)

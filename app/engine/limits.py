"""What bounds the engine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EngineLimits:
    """Bounds of the engine; `app.settings` describes each."""

    batch_tokens: int
    batch_sentences: int
    queue_tokens: int
    max_beam: int
    at_once: int = 1
    """Batches at once, where the decoder allows several."""

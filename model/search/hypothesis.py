"""What a search may be told besides its settings, and what it gives back. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Options:
    """What one call of `search` may add to its `SearchConfig`."""

    forbidden: Tensor | None = None
    """`[vocab]` or `[batch, vocab]` booleans: True is never generated."""
    max_runs: Tensor | None = None
    """`[batch]` int64 in place of `max_token_run`, for sources that repeat a token themselves; 0 switches it off."""
    required: Sequence[Sequence[int]] | None = None
    """For each sentence, tokens that must occur, so often as they stand there: see `model.search.constraints`."""
    not_empty: bool = False
    """Forbid the end mark as the first token."""
    attention: bool = True
    """Keep the attention of each token. Costs one small copy a step."""


@dataclass(frozen=True)
class Hypothesis:
    """One result of a search."""

    tokens: list[int]
    """Without begin and end marks; a forced prefix is part of it."""
    log_probs: list[float]
    """The model's natural-log probability of each token, and of the end mark if it was reached."""
    attention: NDArray[np.float32] | None
    """`[target, source]`, one row for each of `tokens`; None if it was not asked for or there is none."""
    finished: bool
    """The end mark was generated; otherwise the length limit cut the hypothesis."""
    score: float
    """Sum of `log_probs` divided by their number to the power of the length penalty."""

"""What is asked of a search in one call, and who may be asked. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.config import SearchConfig
from model.search.hypothesis import Hypothesis

MAX_REQUIRED = 31


@dataclass(frozen=True)
class Request:
    """Sentences to decode together."""

    sources: Sequence[Sequence[int]]
    """Ids of each, the end mark included."""
    limits: Sequence[int]
    """At most so many steps for each, the end mark's included."""
    prefixes: Sequence[Sequence[int]]
    """What each must begin with; guards do not apply to it."""
    forbidden: NDArray[np.bool_]
    """`[vocab]` or `[batch, vocab]`: what is never generated. The end mark never is the first token either."""
    max_runs: Sequence[int] | None = None
    """How often a token may stand in a row in each; None: no limit."""
    required: Sequence[Sequence[int]] | None = None
    """At most `MAX_REQUIRED` tokens of each that must occur, so often as they stand here; needs a beam."""


class Searcher(Protocol):
    """Greedy and beam search over one network on one device."""

    def search(self, request: Request, config: SearchConfig) -> list[list[Hypothesis]]:
        """The best `config.n_best` hypotheses of each sentence, best first.

        Raises:
            SearchError: the request does not fit the network, or that gives something else than finite numbers.
        """

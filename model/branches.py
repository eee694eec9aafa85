"""What may come after words that are forced: the next word as its own choice, or the best few choices for it.

    forced -> one step: the best pieces that may come next -> each of them forced too, and the rest as usual

So somebody who points at a word of a translation is offered others, each with the rest of its sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.config import SearchConfig
from model.search.hypothesis import Hypothesis
from model.text.ids import EOS
from model.text.parts import Part
from model.text.tokenizer import SPACE, Tokenizer

LEAST = math.log(0.002)
"""Log-probability below which a choice is left out: in a dozen sentences all above it could be said, and of those below
most could not (*I'd like like*, *The black cat dosses*)."""


@dataclass(frozen=True)
class Limits:
    """What one call of the search may do, besides what its settings say."""

    forbidden: NDArray[np.bool_] | None = None
    """`[vocab]`: True is not generated, nor what is never generated."""
    steps: int = 0
    """So many after what is forced, the end mark's included; 0: as many as usual."""


SearchParts = Callable[[Sequence[Part], SearchConfig, Limits], list[list[Hypothesis]]]
"""The hypotheses of each part, which all have ids, best first."""


class Branches:
    """Searches parts whose next word is looked for apart; for one vocabulary of the target language."""

    def __init__(self, target: Tokenizer) -> None:
        pieces = target.pieces(range(target.vocab_size))
        self._no_word = np.array([not piece.startswith(SPACE) for piece in pieces])
        self._inside = np.array([piece[:1].isalnum() or piece.startswith("<0x") for piece in pieces])
        self._end = np.arange(len(pieces)) == EOS

    def search(self, part: Part, config: SearchConfig, search: SearchParts) -> list[Hypothesis]:
        """With `config.branches` up to `config.n_best` hypotheses, each with another next word, the likeliest first;
        else what `config` finds, whose next word does not go on with the last one that is forced. By means of `search`.
        """
        count = config.n_best if config.branches else 1
        one_step = replace(config, beam=count, n_best=count, branches=False, complete=False)
        (firsts,) = search([part], one_step, Limits(self._forbidden(part, config), 1))
        if firsts[0].finished:
            return firsts
        likely = [firsts[0], *(first for first in firsts[1:] if first.log_probs[-1] >= LEAST)]
        begun = [replace(part, prefix=first.tokens, word_ended=False) for first in likely]
        rest = replace(config, beam=1, n_best=1, branches=False, complete=False) if config.branches else config
        found = search(begun, rest, Limits())
        return [of_one[0] for of_one in found] if config.branches else found[0]

    def _forbidden(self, part: Part, config: SearchConfig) -> NDArray[np.bool_]:
        """`[vocab]`: what the piece after the forced ones must not be."""
        if not config.branches:
            return self._inside
        return self._end if part.prefix and not part.word_ended else self._no_word

"""Parts -> hypotheses: what each may hold and how long it may be. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from model.branches import Branches, Limits
from model.config import SearchConfig
from model.search.hypothesis import Hypothesis
from model.search.request import MAX_REQUIRED, Request, Searcher
from model.text.ids import BOS, EOS, PAD, UNK
from model.text.parts import Part
from model.text.tokenizer import FIRST_FREE_ID, PLACEHOLDERS, Tokenizer

INVISIBLE_BYTES = frozenset(f"<0x{byte:02X}>" for byte in (*range(0x21), 0x7F))
"""Byte pieces that no clean target text contains, since a space is written otherwise."""
PLACEHOLDER_IDS = range(FIRST_FREE_ID - len(PLACEHOLDERS), FIRST_FREE_ID)
NO_LIMITS = Limits()


class PartSearch:
    """Searches parts by means of `searcher`; for one vocabulary of the target language."""

    def __init__(self, searcher: Searcher, target: Tokenizer) -> None:
        self._searcher = searcher
        self._never = _never_generated(target)
        self._branches = Branches(target)

    def __call__(self, parts: Sequence[Part], config: SearchConfig) -> list[list[Hypothesis]]:
        """Hypotheses for each of `parts`, which all have ids, best first."""
        if not (config.branches or any(part.word_ended for part in parts)):
            return self._within(parts, config)
        return [self._branches.search(part, config, self._within) for part in parts]

    def _within(
        self, parts: Sequence[Part], config: SearchConfig, within: Limits = NO_LIMITS
    ) -> list[list[Hypothesis]]:
        """The same, as far as `within` lets it."""
        sources = [part.ids or [] for part in parts]
        room = config.max_length_extra + 1  # the end mark's step counts
        limits = [
            within.steps + len(part.prefix)
            if within.steps
            else max(int(config.max_length_factor * len(ids)) + room, len(part.prefix) + room)
            for ids, part in zip(sources, parts, strict=True)
        ]
        forbidden = self._forbidden(sources)
        request = Request(
            sources=[[*ids, EOS] for ids in sources],
            limits=limits,
            prefixes=[part.prefix for part in parts],
            forbidden=forbidden if within.forbidden is None else forbidden | within.forbidden,
            max_runs=_max_runs(sources, config.max_token_run),
            required=[_placeholders(ids)[:MAX_REQUIRED] for ids in sources] if config.complete else None,
        )
        return self._searcher.search(request, config)

    def _forbidden(self, sources: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
        """`[vocab]`, or `[batch, vocab]` if a source holds placeholders: those may be generated for it."""
        placeholders = [_placeholders(ids) for ids in sources]
        if not any(placeholders):
            return self._never
        table = np.tile(self._never, (len(sources), 1))
        for row, ids in enumerate(placeholders):
            table[row, ids] = False
        return table


def _placeholders(ids: Sequence[int]) -> list[int]:
    return [id for id in ids if id in PLACEHOLDER_IDS]


def _max_runs(sources: Sequence[Sequence[int]], limit: int) -> list[int] | None:
    """`limit` for each, or more where the source repeats a token more often (the zeros of 10000000)."""
    if not limit:
        return None
    return [max(limit, max((len(list(run)) for _, run in groupby(ids)), default=0)) for ids in sources]


def _never_generated(tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """`[vocab]`: special and reserved pieces, and bytes that are control characters or a space."""
    reserved = {PAD, UNK, BOS, *range(EOS + 1, FIRST_FREE_ID)}
    pieces = tokenizer.pieces(range(tokenizer.vocab_size))
    return np.array([id in reserved or piece in INVISIBLE_BYTES for id, piece in enumerate(pieces)])

"""Parts -> hypotheses: what each may hold and how long it may be, and which program looks for it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor

from model.branches import Branches, Limits
from model.config import SearchConfig
from model.kernels.native import NativeDecoder
from model.kernels.quantize import Network
from model.network.batch import pad
from model.search.search import Hypothesis, Options, search
from model.text.ids import BOS, EOS, PAD, UNK
from model.text.parts import Part
from model.text.tokenizer import FIRST_FREE_ID, PLACEHOLDERS, Tokenizer

INVISIBLE_BYTES = frozenset(f"<0x{byte:02X}>" for byte in (*range(0x21), 0x7F))
"""Byte pieces that no clean target text contains, since a space is written otherwise."""
PLACEHOLDER_IDS = range(FIRST_FREE_ID - len(PLACEHOLDERS), FIRST_FREE_ID)
NO_LIMITS = Limits()


class PartSearch:
    """Searches with one network on one device; `native` decodes greedily in its place, where there is one."""

    def __init__(self, model: Network, native: NativeDecoder | None, target: Tokenizer, device: torch.device) -> None:
        self._model, self._native, self._device = model, native, device
        self._never = _never_generated(target).to(device)
        self._branches = Branches(target, device)

    def is_native(self, config: SearchConfig) -> bool:
        """Whether `native` does what `config` asks for."""
        return self._native is not None and config.beam == 1 and not config.no_repeat_ngram

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
        lengths = torch.tensor([len(ids) + 1 for ids in sources], device=self._device)
        room = config.max_length_extra + 1  # the end mark's step counts
        limits = [
            within.steps + len(part.prefix)
            if within.steps
            else max(int(config.max_length_factor * len(ids)) + room, len(part.prefix) + room)
            for ids, part in zip(sources, parts, strict=True)
        ]
        prefix = pad([part.prefix for part in parts], device=self._device) if any(p.prefix for p in parts) else None
        max_runs = self._max_runs(sources, config.max_token_run)
        forbidden = (
            self._forbidden(sources) if within.forbidden is None else self._forbidden(sources) | within.forbidden
        )
        options = Options(forbidden=forbidden, max_runs=max_runs, not_empty=True)
        if self._native is not None and self.is_native(config):
            return self._native.greedy([[*ids, EOS] for ids in sources], limits, prefix, options)
        with torch.inference_mode():
            state = self._model.encode(pad([[*ids, EOS] for ids in sources], device=self._device), lengths)
            limit = torch.tensor(limits, device=self._device)
            return search(self._model.step, state, limit, config, prefix, options)

    def _forbidden(self, sources: Sequence[Sequence[int]]) -> Tensor:
        """`[vocab]`, or `[batch, vocab]` if a source holds placeholders: those may be generated for it."""
        placeholders = [[id for id in ids if id in PLACEHOLDER_IDS] for ids in sources]
        if not any(placeholders):
            return self._never
        table = self._never.repeat(len(sources), 1)
        for row, ids in enumerate(placeholders):
            table[row, ids] = False
        return table

    def _max_runs(self, sources: Sequence[Sequence[int]], limit: int) -> Tensor | None:
        """`[batch]`: `limit`, or more where the source repeats a token more often (the zeros of 10000000)."""
        if not limit:
            return None
        runs = [max((len(list(run)) for _, run in groupby(ids)), default=0) for ids in sources]
        return torch.tensor([max(limit, run) for run in runs], device=self._device)


def _never_generated(tokenizer: Tokenizer) -> Tensor:
    """`[vocab]` booleans: special and reserved pieces, and bytes that are control characters or a space."""
    reserved = {PAD, UNK, BOS, *range(EOS + 1, FIRST_FREE_ID)}
    pieces = tokenizer.pieces(range(tokenizer.vocab_size))
    return torch.tensor([id in reserved or piece in INVISIBLE_BYTES for id, piece in enumerate(pieces)])

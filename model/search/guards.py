"""What a search may not generate: forbidden tokens, long runs of one token, n-grams that were there already."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model.config import SearchConfig
from model.search.hypothesis import Options
from model.text.ids import EOS


@dataclass(frozen=True)
class Guard:
    """The guards of some rows, with as much of their past as is needed. Every method works on all rows at once."""

    columns: Tensor | None
    """`[rows, columns]` int64: the ids that are forbidden in at least one row."""
    bias: Tensor | None
    """`[rows, columns]`: minus infinity where the id is forbidden in that row, else 0."""
    max_run: Tensor | None
    """`[rows]` int64: how often a token may follow itself."""
    run: Tensor
    """`[rows]` int64: how long the last token's run is."""
    last: Tensor
    """`[rows]` int64: the last token, -1 at the beginning."""
    ngram: int
    history: Tensor
    """`[rows, time]` int64: all tokens so far; stays empty when n-grams are not guarded."""
    not_yet_end: bool
    """The next token must not be the end mark."""

    @classmethod
    def of(cls, config: SearchConfig, options: Options, max_lengths: Tensor) -> Guard:
        """Guards of `max_lengths.shape[0]` sentences that have no tokens yet."""
        batch, device = max_lengths.shape[0], max_lengths.device
        columns, bias = _forbidden_columns(options.forbidden, batch)
        max_run = options.max_runs
        if max_run is None and config.max_token_run:
            max_run = torch.full((batch,), config.max_token_run, device=device)
        elif max_run is not None:
            max_run = torch.where(max_run > 0, max_run, torch.iinfo(torch.int64).max)
        return cls(
            columns=columns,
            bias=bias,
            max_run=max_run,
            run=torch.zeros(batch, dtype=torch.int64, device=device),
            last=torch.full((batch,), -1, device=device),
            ngram=config.no_repeat_ngram,
            history=torch.zeros(batch, 0, dtype=torch.int64, device=device),
            not_yet_end=options.not_empty,
        )

    def apply(self, log_probs: Tensor) -> None:
        """Set what is forbidden to minus infinity in `log_probs` `[rows, vocab]`, in place.

        Only the few columns concerned are touched: a full mask would cost as much as the softmax.
        """
        if self.not_yet_end:
            log_probs[:, EOS] = float("-inf")
        if self.columns is not None and self.bias is not None:
            log_probs.scatter_add_(1, self.columns, self.bias)
        if self.max_run is not None:
            _forbid(log_probs, self.last.clamp(min=0)[:, None], (self.run >= self.max_run)[:, None])
        if self.ngram and self.history.shape[1] >= self.ngram:
            windows = self.history.unfold(1, self.ngram, 1)  # [rows, windows, ngram]
            tail = self.history[:, None, self.history.shape[1] - self.ngram + 1 :]  # [rows, 1, ngram - 1]
            seen = (windows[:, :, :-1] == tail).all(dim=-1)
            _forbid(log_probs, windows[:, :, -1], seen)

    def push(self, tokens: Tensor) -> Guard:
        """The guards after `tokens` `[rows]` were chosen."""
        run, history = self.run, self.history
        if self.max_run is not None:
            run = torch.where(tokens == self.last, run + 1, 1)
        if self.ngram:
            history = torch.cat((history, tokens[:, None]), dim=1)
        return replace(self, run=run, last=tokens, history=history, not_yet_end=False)

    def select(self, rows: Tensor) -> Guard:
        """The guards of `rows` `[n]`, in that order."""
        return replace(
            self,
            columns=None if self.columns is None else self.columns[rows],
            bias=None if self.bias is None else self.bias[rows],
            max_run=None if self.max_run is None else self.max_run[rows],
            run=self.run[rows],
            last=self.last[rows],
            history=self.history[rows],
        )


def _forbid(log_probs: Tensor, columns: Tensor, where: Tensor) -> None:
    """Minus infinity at `columns` `[rows, n]` of `log_probs` `[rows, vocab]` where `where` `[rows, n]` is True."""
    bias = torch.zeros(where.shape, dtype=log_probs.dtype, device=log_probs.device)
    log_probs.scatter_add_(1, columns, bias.masked_fill_(where, float("-inf")))


def _forbidden_columns(forbidden: Tensor | None, batch: int) -> tuple[Tensor | None, Tensor | None]:
    """Ids forbidden anywhere and their bias, each `[batch, columns]`, from `[vocab]` or `[batch, vocab]`."""
    if forbidden is None:
        return None, None
    table = forbidden.expand(batch, -1)
    columns = table.any(dim=0).nonzero()[:, 0]
    bias = torch.zeros(batch, columns.shape[0], device=forbidden.device)
    return columns.expand(batch, -1).contiguous(), bias.masked_fill_(table[:, columns], float("-inf"))

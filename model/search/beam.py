"""Beam search: the best few hypotheses of each sentence side by side.

Rows are `sentence * width + slot`, the best slot first; a slot that holds nothing has the score minus infinity. The
first step runs with one slot a sentence, all others with `beam`. At each step

1. every slot proposes its `2 * beam` best tokens, and the `2 * beam` best of all proposals are kept: since a slot has
   one end mark only, at least `beam` of them go on;
2. end marks among the `beam` best proposals become finished hypotheses;
3. the best `beam` others go on; what they were made from is noted in tables (`_Path`) and read backwards at the end.

A sentence is done when `beam` hypotheses are finished, or `n_best` are and no live one can still beat the worst of
them: a live score can only fall, and even at its longest allowed length is divided by no more than that length's
normaliser. Sentences that are done leave the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from model.config import SearchConfig
from model.search.constraints import Extension, all_missing, extensions
from model.search.guards import Guard
from model.search.hypothesis import Hypothesis
from model.search.step import LogSoftmax, S, StepFunction, Task, check_finite
from model.search.topk import best_tokens
from model.text.ids import BOS, EOS, PAD

UNFINISHED = -1e6
"""Added to the rank of hypotheses that the length limit cut: they come after every finished one."""


def beam_search(
    step: StepFunction[S],
    state: S,
    task: Task,
    guard: Guard,
    config: SearchConfig,
    required: Sequence[Sequence[int]] | None = None,
) -> list[list[Hypothesis]]:
    """`n_best` hypotheses a sentence, best first; arguments as in `model.search.search.search`."""
    device = task.max_lengths.device
    live = _Live(
        sentences=torch.arange(task.batch, device=device),
        scores=torch.zeros(task.batch, 1, dtype=torch.float64, device=device),
        tokens=torch.full((task.batch,), BOS, device=device),
        missing=None if required is None else all_missing(required, device),
    )
    path, pool, softmax = _Path(task, config.beam), _Pool.of(task, config), LogSoftmax()
    for time in range(int(task.max_lengths.max())):
        output = step(live.tokens, state)
        path.add_attention(output.attention, live)
        log_probs = _allowed(softmax(output.logits), live, guard, task.forced(time))
        if required is None:
            proposals = _propose(log_probs, live, config.beam)
        else:
            proposals = _propose_complete(log_probs, live, required, task.forced(time), config.beam)
        going_on = proposals.live(config.beam)
        path.add(going_on, live)
        pool.add(proposals, going_on, live, time)
        kept = (~pool.done[live.sentences]).nonzero()[:, 0]
        if not kept.shape[0]:
            break
        rows, live = going_on.follow(kept, live)
        state, guard = output.state.select(rows), guard.select(rows).push(live.tokens)
    return _results(pool, path, task, config.n_best)


@dataclass(frozen=True)
class _Live:
    """The hypotheses that the next step reads."""

    sentences: Tensor
    """`[active]`: which sentences are still searched."""
    scores: Tensor
    """`[active, width]` summed log-probabilities, best first, minus infinity for an empty slot."""
    tokens: Tensor
    """`[active * width]`: the last token of each."""
    missing: Tensor | None = None
    """`[active, width]`: bits of the required tokens that each lacks; None if nothing is required."""


@dataclass(frozen=True)
class _Proposals:
    """One-token extensions of the live hypotheses, best first. All `[active, proposals]`."""

    scores: Tensor
    log_probs: Tensor
    parents: Tensor
    """The slot that each was made from."""
    tokens: Tensor
    missing: Tensor | None = None

    def live(self, beam: int) -> _Proposals:
        """The best `beam` that do not end."""
        scores = self.scores.masked_fill(self.tokens == EOS, float("-inf"))
        scores, index = scores.topk(min(beam, scores.shape[1]), dim=1)
        log_probs, parents, tokens = (kept.gather(1, index) for kept in (self.log_probs, self.parents, self.tokens))
        missing = None if self.missing is None else self.missing.gather(1, index)
        return _Proposals(scores, log_probs, parents, tokens, missing)

    def follow(self, kept: Tensor, live: _Live) -> tuple[Tensor, _Live]:
        """The rows `[kept * proposals]` to take over from the step's state, and the next live hypotheses.

        `kept` `[kept]` are indexes into the active sentences.
        """
        rows = kept[:, None] * live.scores.shape[1] + self.parents[kept]
        missing = None if self.missing is None else self.missing[kept]
        return rows.flatten(), _Live(live.sentences[kept], self.scores[kept], self.tokens[kept].flatten(), missing)


def _allowed(log_probs: Tensor, live: _Live, guard: Guard, forced: Tensor | None) -> Tensor:
    """`log_probs` `[active * width, vocab]`, minus infinity where something else is forced or a guard forbids."""
    if forced is None:
        guard.apply(log_probs)
        return log_probs
    return _force(log_probs, guard, forced[live.sentences].repeat_interleave(live.scores.shape[1]))


def _propose(log_probs: Tensor, live: _Live, beam: int) -> _Proposals:
    """The `2 * beam` best extensions of each sentence."""
    active = live.scores.shape[0]
    best, tokens = best_tokens(log_probs, 2 * beam)  # [active * width, per slot]
    per_slot = best.shape[1]
    best, tokens = best.view(active, -1), tokens.view(active, -1)  # [active, width * per slot]
    totals = best + live.scores.repeat_interleave(per_slot, dim=1)
    scores, index = totals.topk(min(2 * beam, totals.shape[1]), dim=1)
    return _Proposals(scores, best.gather(1, index), index // per_slot, tokens.gather(1, index))


def _propose_complete(
    log_probs: Tensor, live: _Live, required: Sequence[Sequence[int]], forced: Tensor | None, beam: int
) -> _Proposals:
    """The same where `required` tokens of each sentence must occur: what ends, then what goes on."""
    width, missing = live.scores.shape[1], cast(Tensor, live.missing)
    rows = [
        extensions(log_probs[place * width : (place + 1) * width], live.scores[place], missing[place],
                   required[sentence], beam, PAD if forced is None else int(forced[sentence]))
        for place, sentence in enumerate(live.sentences.tolist())
    ]  # fmt: skip
    empty = Extension(float("-inf"), 0.0, 0, PAD, 0)
    padded = [row + [empty] * (2 * beam - len(row)) for row in rows]
    table = torch.tensor(padded, dtype=torch.float64, device=log_probs.device)  # all their integers are exact in it
    scores, logs, parents, tokens, lacking = table.unbind(dim=2)
    return _Proposals(scores, logs.to(log_probs.dtype), parents.long(), tokens.long(), lacking.long())


def _force(log_probs: Tensor, guard: Guard, forced: Tensor) -> Tensor:
    """`log_probs` `[rows, vocab]` with guards, or where `forced` `[rows]` is not PAD with that token only."""
    only = torch.full_like(log_probs, float("-inf"))
    only.scatter_(1, forced[:, None], log_probs.gather(1, forced[:, None]))
    guard.apply(log_probs)
    return torch.where((forced != PAD)[:, None], only, log_probs)


class _Path:
    """Where each live hypothesis of each step came from."""

    def __init__(self, task: Task, beam: int) -> None:
        self.batch, self.beam, self.keep_attention = task.batch, beam, task.keep_attention
        self.tokens: list[Tensor] = []
        self.parents: list[Tensor] = []
        self.log_probs: list[Tensor] = []
        self.attention: list[Tensor] = []
        """Of each slot that the step read, `[batch, beam, source]`."""

    def add(self, chosen: _Proposals, live: _Live) -> None:
        """One step; all are stored as `[batch, beam]`."""
        self.tokens.append(self._spread(chosen.tokens, live.sentences))
        self.parents.append(self._spread(chosen.parents, live.sentences))
        self.log_probs.append(self._spread(chosen.log_probs, live.sentences))

    def add_attention(self, attention: Tensor | None, live: _Live) -> None:
        """The attention `[active * width, source]` of one step."""
        if attention is not None and self.keep_attention:
            weights = attention.view(*live.scores.shape, attention.shape[-1])
            self.attention.append(self._spread(weights, live.sentences))

    def _spread(self, values: Tensor, sentences: Tensor) -> Tensor:
        """`[active, width, ...]` -> `[batch, beam, ...]`, zeros elsewhere."""
        table = values.new_zeros((self.batch, self.beam, *values.shape[2:]))
        table[sentences, : values.shape[1]] = values
        return table

    def read(self, lengths: Tensor, slots: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Tokens and log-probabilities `[batch, n, time]`, attention `[batch, n, time, source]` of some hypotheses.

        `slots` `[batch, n]` says in which slot each is after its step `lengths` `[batch, n]` - 1.
        """
        tokens, log_probs, attention = [], [], []
        for time in reversed(range(len(self.tokens))):
            reached = lengths > time
            tokens.append(self.tokens[time].gather(1, slots))
            log_probs.append(self.log_probs[time].gather(1, slots))
            slots = torch.where(reached, self.parents[time].gather(1, slots), slots)
            if self.attention:
                weights = self.attention[time]
                attention.append(weights.gather(1, slots[:, :, None].expand(-1, -1, weights.shape[-1])))
        stacked = torch.stack(attention[::-1], dim=2) if attention else None
        return torch.stack(tokens[::-1], dim=2), torch.stack(log_probs[::-1], dim=2), stacked


@dataclass
class _Pool:
    """The best hypotheses that came to their end, of every sentence: `beam` finished ones, then `beam` cut ones."""

    task: Task
    beam: int
    n_best: int
    ranks: Tensor
    """`[batch, 2 * beam]` normalised scores, less for cut ones, minus infinity for an empty place."""
    lengths: Tensor
    """`[batch, 2 * beam]` tokens without the end mark."""
    slots: Tensor
    """`[batch, 2 * beam]` where the last token is in the path."""
    ends: Tensor
    """`[batch, 2 * beam]` log-probability of the end mark."""
    finished: Tensor
    """`[batch]`: end marks seen."""
    done: Tensor
    """`[batch]` booleans."""

    @classmethod
    def of(cls, task: Task, config: SearchConfig) -> _Pool:
        """An empty pool for the sentences of `task`."""
        shape, device = (task.batch, 2 * config.beam), task.max_lengths.device
        return cls(
            task=task,
            beam=config.beam,
            n_best=config.n_best,
            ranks=torch.full(shape, float("-inf"), dtype=torch.float64, device=device),
            lengths=torch.zeros(shape, dtype=torch.int64, device=device),
            slots=torch.zeros(shape, dtype=torch.int64, device=device),
            ends=torch.zeros(shape, device=device),
            finished=torch.zeros(task.batch, dtype=torch.int64, device=device),
            done=torch.zeros(task.batch, dtype=torch.bool, device=device),
        )

    def add(self, proposals: _Proposals, going_on: _Proposals, live: _Live, time: int) -> None:
        """Take in the end marks of step `time`, and what its length limit cuts."""
        sentences, limits = live.sentences, self.task.max_lengths[live.sentences]
        self._add_finished(proposals, sentences, time)
        bound = self.task.normalise(going_on.scores[:, 0], limits)
        worst = self.ranks[sentences, self.n_best - 1]
        at_limit = limits <= time + 1
        self.done[sentences] = (self.finished[sentences] >= self.beam) | (bound <= worst) | at_limit
        width = going_on.scores.shape[1]
        cut, places = sentences[at_limit], slice(self.beam, self.beam + width)
        self.ranks[cut, places] = self.task.normalise(going_on.scores, time + 1)[at_limit] + UNFINISHED
        self.lengths[cut, places] = time + 1
        self.slots[cut, places] = torch.arange(width, device=cut.device).expand(len(cut), -1)

    def _add_finished(self, proposals: _Proposals, sentences: Tensor, time: int) -> None:
        first = slice(0, self.beam)
        is_end = (proposals.tokens[:, first] == EOS) & torch.isfinite(proposals.scores[:, first])
        self.finished[sentences] += is_end.sum(dim=1)
        ranks = self.task.normalise(proposals.scores[:, first], time + 1).masked_fill(~is_end, float("-inf"))
        ranks, index = torch.cat((self.ranks[sentences, first], ranks), dim=1).topk(self.beam, dim=1)
        new = (torch.full_like(index, time), proposals.parents[:, first], proposals.log_probs[:, first])
        for table, column in zip((self.lengths, self.slots, self.ends), new, strict=True):
            old = table[sentences, first]
            table[sentences, first] = torch.cat((old, column[:, : proposals.tokens.shape[1]]), dim=1).gather(1, index)
        self.ranks[sentences, first] = ranks

    def best(self) -> tuple[Tensor, Tensor]:
        """Ranks and places, each `[batch, n_best]`, best first."""
        ranks, places = self.ranks.topk(self.n_best, dim=1)
        return ranks, places


def _results(pool: _Pool, path: _Path, task: Task, n_best: int) -> list[list[Hypothesis]]:
    """The best `n_best` of each sentence in the pool as `Hypothesis`."""
    ranks, places = pool.best()
    check_finite(ranks[:, 0])  # not a number sorts before everything else
    lengths, ends = pool.lengths.gather(1, places), pool.ends.gather(1, places)
    tokens, log_probs, attention = path.read(lengths, pool.slots.gather(1, places))
    columns = [column.tolist() for column in (ranks, lengths, places, tokens, log_probs, ends)]
    weights = None if attention is None else attention.float().cpu().numpy()
    results: list[list[Hypothesis]] = []
    for row, sentence in enumerate(zip(*columns, strict=True)):
        found = []
        for number, (rank, length, place, ids, logs, end) in enumerate(zip(*sentence, strict=True)):
            if rank == float("-inf"):
                break
            finished = place < pool.beam
            found.append(
                Hypothesis(
                    tokens=ids[:length],
                    log_probs=[*logs[:length], end] if finished else logs[:length],
                    attention=None if weights is None else weights[row, number, :length],
                    finished=finished,
                    score=rank if finished else rank - UNFINISHED,
                )
            )
        results.append(found)
    return results

"""Greedy search: the most probable token at each step.

This is the serving path on a CPU, where one step of a batch of 128 is a millisecond or two of matrix products. So a
step here is a handful of small kernels: one log-softmax, a few columns set to minus infinity, one arg max, and two
lists that grow. Finished rows are dropped when a quarter of the rows is done, since copying the state costs about as
much as a quarter of a step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from model.search.guards import Guard
from model.search.hypothesis import Hypothesis
from model.search.step import LogSoftmax, S, StepFunction, Task, check_finite
from model.search.topk import best_token
from model.text.ids import BOS, EOS, PAD

DROP_SHARE = 0.25
"""Share of finished rows from which on they are dropped."""
CUDA_CHECK_EVERY = 4
"""Steps between two looks at what is finished, on devices where a look stops the pipeline."""


def greedy_search(step: StepFunction[S], state: S, task: Task, guard: Guard) -> list[list[Hypothesis]]:
    """One hypothesis a sentence; arguments as in `model.search.search.search`."""
    limits = task.max_lengths
    trace, softmax = _Trace.of(task), LogSoftmax()
    rows = torch.arange(task.batch, device=limits.device)
    tokens = torch.full_like(limits, BOS)
    done = torch.zeros_like(limits, dtype=torch.bool)
    every = 1 if limits.device.type == "cpu" else CUDA_CHECK_EVERY
    longest = int(limits.max())
    for time in range(longest):
        output = step(tokens, state)
        state = output.state
        forced = task.forced(time)
        log_probs, tokens = _choose(softmax(output.logits), guard, None if forced is None else forced[rows])
        guard = guard.push(tokens)
        trace.add(tokens, log_probs, output.attention)
        done = done | (tokens == EOS) | (limits[rows] <= time + 1)
        if time % every and time + 1 < longest:
            continue
        left = len(done) - int(done.sum())
        if not left:
            break
        if len(done) - left >= DROP_SHARE * len(done):
            trace.flush(rows)
            kept = (~done).nonzero()[:, 0]
            state, guard, tokens, rows, done = (
                state.select(kept), guard.select(kept), tokens[kept], rows[kept], done[kept],
            )  # fmt: skip
    trace.flush(rows)
    return trace.hypotheses()


def _choose(log_probs: Tensor, guard: Guard, forced: Tensor | None) -> tuple[Tensor, Tensor]:
    """Log-probability and id, each `[rows]`, of the forced or else the best allowed token.

    Writes the guards into `log_probs` `[rows, vocab]`.

    Guards only forbid: a log-probability is always the model's own, not renormalised, and a forced token need not be
    an allowed one.
    """
    of_forced = None if forced is None else log_probs.gather(1, forced[:, None])[:, 0]
    guard.apply(log_probs)
    best, tokens = best_token(log_probs)
    if forced is None or of_forced is None:
        return best, tokens
    is_forced = forced != PAD
    return torch.where(is_forced, of_forced, best), torch.where(is_forced, forced, tokens)


@dataclass
class _Trace:
    """What was chosen so far. Steps gather in lists; when rows are dropped, the lists are written into the tables."""

    task: Task
    tokens: Tensor
    """`[batch, time]`, EOS where nothing was written."""
    log_probs: Tensor
    """`[batch, time]`"""
    attention: Tensor | None = None
    """`[batch, time, source]`"""
    written: int = 0
    steps: list[tuple[Tensor, Tensor, Tensor | None]] = field(default_factory=list)

    @classmethod
    def of(cls, task: Task) -> _Trace:
        shape = (task.batch, int(task.max_lengths.max()))
        device = task.max_lengths.device
        return cls(
            task,
            torch.full(shape, EOS, dtype=torch.int64, device=device),
            torch.zeros(shape, dtype=torch.float32, device=device),
        )

    def add(self, tokens: Tensor, log_probs: Tensor, attention: Tensor | None) -> None:
        """One step: `tokens`, `log_probs` `[rows]`, `attention` `[rows, source]`."""
        self.steps.append((tokens, log_probs, attention if self.task.keep_attention else None))

    def flush(self, rows: Tensor) -> None:
        """Write the gathered steps, all of the sentences `rows` `[rows]`, into the tables."""
        start, end = self.written, self.written + len(self.steps)
        tokens, log_probs, attention = zip(*self.steps, strict=True)
        self.tokens[rows, start:end] = torch.stack(tokens, dim=1)
        self.log_probs[rows, start:end] = torch.stack(log_probs, dim=1)
        if attention[0] is not None:
            weights = torch.stack(attention, dim=1)  # [rows, steps, source]
            if self.attention is None:
                self.attention = weights.new_zeros((*self.tokens.shape, weights.shape[-1]))
            self.attention[rows, start:end] = weights
        self.written = end
        self.steps.clear()

    def hypotheses(self) -> list[list[Hypothesis]]:
        """What was found, by sentence."""
        limits = self.task.max_lengths
        is_end = self.tokens == EOS
        ends = torch.where(is_end.any(dim=1), is_end.int().argmax(dim=1), limits).minimum(limits)
        finished = ends < limits
        lengths = ends + finished
        valid = torch.arange(self.tokens.shape[1], device=limits.device) < lengths[:, None]
        log_probs = self.log_probs.masked_fill(~valid, 0.0)
        check_finite(log_probs)
        scores = self.task.normalise(log_probs.double().sum(dim=1), lengths)
        attention = None if self.attention is None else self.attention.float().cpu().numpy()
        columns = (self.tokens, self.log_probs, ends, lengths, finished, scores)
        return [
            [
                Hypothesis(
                    tokens[:end], logs[:length], None if attention is None else attention[row, :end], is_finished, score
                )
            ]
            for row, (tokens, logs, end, length, is_finished, score) in enumerate(
                zip(*(column.tolist() for column in columns), strict=True)
            )
        ]

"""What a search needs of a decoder, and what its two algorithms share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor

from model.errors import SearchError


class State(Protocol):
    """All that a decoder carries from step to step, one row a hypothesis."""

    def select(self, rows: Tensor) -> Self:
        """The state of `rows` `[n]` int64, in that order; a row may be repeated or left out."""


S = TypeVar("S", bound=State)
S_co = TypeVar("S_co", bound=State, covariant=True)


class StepOutput(Protocol[S_co]):
    """What one step gives for each row. Never written to by the search."""

    @property
    def logits(self) -> Tensor:
        """`[rows, vocab]`, not normalised, any floating type."""

    @property
    def attention(self) -> Tensor | None:
        """`[rows, source]`, or None if the decoder has none."""

    @property
    def state(self) -> S_co:
        """The state after this step."""


StepFunction = Callable[[Tensor, S], StepOutput[S]]
"""`(tokens [rows], state) -> output`: feed the last chosen tokens, get the distribution of the next ones."""


@dataclass(frozen=True)
class Task:
    """One checked call of `search`, as the two algorithms share it."""

    max_lengths: Tensor
    """`[batch]` int64: most steps, the one of the end mark included."""
    prefix: Tensor | None
    """`[batch, prefix]` int64, PAD where nothing is forced (any longer)."""
    keep_attention: bool
    length_penalty: float

    @property
    def batch(self) -> int:
        """Number of sentences."""
        return self.max_lengths.shape[0]

    def forced(self, time: int) -> Tensor | None:
        """The forced tokens `[batch]` of step `time`, or None when no sentence has any left."""
        return self.prefix[:, time] if self.prefix is not None and time < self.prefix.shape[1] else None

    def normalise(self, total: Tensor, length: int | Tensor) -> Tensor:
        """`total` log-probabilities over `length` steps as scores that can be compared across lengths."""
        return total / torch.as_tensor(length, dtype=total.dtype, device=total.device) ** self.length_penalty


class LogSoftmax:
    """Natural-log probabilities in fp32, whatever the type of the logits; one object for each search.

    Its buffers are used again at every step: fresh ones of some megabytes cost as much in page faults as the softmax.
    """

    def __init__(self) -> None:
        self._logits: Tensor | None = None
        self._result: Tensor | None = None

    def __call__(self, logits: Tensor) -> Tensor:
        """`[rows, vocab]` -> `[rows, vocab]`, valid until the next call; the logits stay as they are."""
        if logits.dtype != torch.float32:
            self._logits = wide = _buffer(self._logits, logits)
            logits = wide.copy_(logits)
        self._result = result = _buffer(self._result, logits)
        return torch.log_softmax(logits, dim=-1, out=result)


def _buffer(old: Tensor | None, like: Tensor) -> Tensor:
    """An fp32 tensor of the shape of `like`, out of the memory of `old` if that is enough."""
    if old is None or old.untyped_storage().nbytes() < 4 * like.numel():
        return torch.empty(like.shape, dtype=torch.float32, device=like.device)
    return old.as_strided(like.shape, (like.shape[1], 1))


def check_finite(values: Tensor) -> None:
    """Raise `SearchError` unless every one of `values` is a finite number."""
    if not bool(torch.isfinite(values).all()):
        raise SearchError(
            "the decoder's output is not a finite number, or nothing is left that may be generated; "
            "the weights may be damaged or the number format too narrow"
        )

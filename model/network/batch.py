"""Lists of ids -> batches of similar length -> padded tensors, and the shift between decoder input and label.

Three target sentences, as the decoder sees them (`<s>` = begin mark 2, `</s>` = end mark 3, `.` = padding 0):

    inputs  [batch, target]      labels  [batch, target]
      <s>  you  are  nice          you  are  nice </s>
      <s>  run   .    .            run  </s>  .    .
      <s>  who   ?    .            who   ?   </s>  .

Position t of `inputs` predicts position t of `labels`; padded labels carry no loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.text.ids import BOS, EOS, PAD

SHARED_FROM_TOKENS = 128
"""Less than this is not worth cutting into batches for several threads."""


def plan_batches(lengths: Sequence[int | None], budget: int, threads: int = 1) -> list[list[int]]:
    """Indexes of `lengths` in batches of similar length, longest first, each at most `budget` tokens with its padding.

    None is left out. One that is longer than the budget gets a batch of its own. The end mark is counted. For several
    `threads` there are as many batches for each, of equal work; they may then pass the budget by a little.
    """
    sizes = {index: length + 1 for index, length in enumerate(lengths) if length is not None}
    order = sorted(sizes, key=lambda index: -sizes[index])
    batches: list[list[int]] = []
    longest = 0
    for index in order:
        if not batches or (len(batches[-1]) + 1) * longest > budget:
            batches.append([])
            longest = sizes[index]
        batches[-1].append(index)
    total = sum(sizes.values())
    if threads == 1 or total < SHARED_FROM_TOKENS:
        return batches
    parts: list[list[int]] = [[] for _ in range(threads * math.ceil(len(batches) / threads))]
    before = 0
    for index in order:
        parts[(before + sizes[index] // 2) * len(parts) // total].append(index)
        before += sizes[index]
    return [part for part in parts if part]


def pad(sequences: Sequence[Sequence[int]], *, device: torch.device | str = "cpu") -> Tensor:
    """Ids as one tensor `[batch, longest]`, filled up with PAD on the right."""
    longest = max((len(sequence) for sequence in sequences), default=0)
    rows = [[*sequence, *(PAD,) * (longest - len(sequence))] for sequence in sequences]
    return torch.tensor(rows, dtype=torch.int64, device=device).reshape(len(sequences), longest)


def padding_mask(lengths: Tensor, longest: int) -> Tensor:
    """`[batch, longest]` booleans, True where there is a token, from `lengths` `[batch]`."""
    return torch.arange(longest, device=lengths.device)[None, :] < lengths[:, None]


@dataclass(frozen=True)
class Batch:
    """One padded batch of pairs, ready for teacher forcing."""

    source: Tensor
    """`[batch, source]` ids, EOS included."""
    lengths: Tensor
    """`[batch]` source tokens, EOS included."""
    inputs: Tensor
    """`[batch, target]` BOS and the target."""
    labels: Tensor
    """`[batch, target]` the target and EOS; PAD carries no loss."""

    @classmethod
    def of(cls, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> Batch:
        """From ids without begin and end marks."""
        source = [[*ids, EOS] for ids in sources]
        return cls(
            source=pad(source),
            lengths=torch.tensor([len(ids) for ids in source], dtype=torch.int64),
            inputs=pad([[BOS, *ids] for ids in targets]),
            labels=pad([[*ids, EOS] for ids in targets]),
        )

    def to(self, device: torch.device) -> Batch:
        """The same batch on `device`."""
        move = {"device": device, "non_blocking": True}
        return Batch(self.source.to(**move), self.lengths.to(**move), self.inputs.to(**move), self.labels.to(**move))  # type: ignore[call-overload]

    @property
    def target_tokens(self) -> int:
        """Labels that carry loss."""
        return int((self.labels != PAD).sum())

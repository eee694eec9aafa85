"""Lists of ids -> padded tensors, and the shift between decoder input and label.

Three target sentences, as the decoder sees them (`<s>` = begin mark 2, `</s>` = end mark 3, `.` = padding 0):

    inputs  [batch, target]      labels  [batch, target]
      <s>  you  are  nice          you  are  nice </s>
      <s>  run   .    .            run  </s>  .    .
      <s>  who   ?    .            who   ?   </s>  .

Position t of `inputs` predicts position t of `labels`; padded labels carry no loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.text.ids import BOS, EOS, PAD


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

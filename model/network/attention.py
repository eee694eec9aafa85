"""Multi-head scaled dot-product attention over the memory (Vaswani et al. 2017, section 3.2)."""

from __future__ import annotations

import math

from torch import Tensor, nn

from model.network.linear import Linear


class Attention(nn.Module):
    """Queries from the decoder, keys and values from the encoder; keys and values are projected once a sentence."""

    def __init__(self, query_size: int, memory_size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = Linear(query_size, query_size)
        self.key = Linear(memory_size, query_size, bias=False)
        self.value = Linear(memory_size, query_size, bias=False)
        self.output = Linear(query_size, query_size)
        self.scale = 1 / math.sqrt(query_size // heads)

    def project(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys `[batch, heads, size, source]`, values `[batch, heads, source, size]` of `[batch, source, memory]`."""
        keys = self._split(self.key(memory)).permute(0, 2, 3, 1)
        values = self._split(self.value(memory)).permute(0, 2, 1, 3)
        return keys.contiguous(), values.contiguous()

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Read the memory once for each query.

        Args:
            queries: `[batch, target, query]`
            keys, values: from `project`
            bias: `[batch, 1, 1, source]`, 0 on tokens and minus infinity on padding

        Returns:
            context `[batch, target, query]`; weights `[batch, heads, target, source]`, which sum to 1 over the source.
        """
        split = self._split(self.query(queries) * self.scale).transpose(1, 2)  # [batch, heads, target, size]
        weights = (split @ keys + bias).softmax(dim=-1)
        context = (weights @ values).transpose(1, 2).flatten(2)
        return self.output(context), weights

    def _split(self, tensor: Tensor) -> Tensor:
        """`[batch, time, query]` -> `[batch, time, heads, size]`."""
        return tensor.view(*tensor.shape[:-1], self.heads, -1)

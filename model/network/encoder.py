"""Source ids -> one vector a token (the memory) and one state a decoder layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.config import ModelConfig
from model.network.dropout import SharedDropout
from model.network.recurrent import Recurrent


def reverse_index(lengths: Tensor, longest: int) -> Tensor:
    """`[batch, longest]` positions that turn each sentence around inside its own length; padding stays in place.

    Reading right to left then begins at the last real token whatever the padding, so that a sentence does not depend
    on its neighbours in the batch; and unlike packed sequences it runs in every kernel and dtype.
    """
    positions = torch.arange(longest, device=lengths.device)[None, :]
    turned = lengths[:, None] - 1 - positions
    return torch.where(turned >= 0, turned, positions)


def turn(sequence: Tensor, index: Tensor) -> Tensor:
    """Reorder `sequence` `[batch, time, size]` along time by `index` `[batch, time]`; its own inverse.

    Whole rows are picked from the flattened batch: on a CPU fifteen times as fast as `gather` over an expanded index.
    """
    batch, time, _ = sequence.shape
    rows = torch.arange(0, batch * time, time, device=index.device)[:, None] + index
    return sequence.flatten(0, 1).index_select(0, rows.flatten()).view_as(sequence)


class EncoderLayer(nn.Module):
    """Layer norm -> recurrent kernel in one or both directions -> dropout -> residual where the widths agree."""

    def __init__(self, config: ModelConfig, input_size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(input_size) if config.layer_norm else nn.Identity()
        self.forwards = Recurrent(config.cell, input_size, config.encoder_hidden_size)
        self.backwards = (
            Recurrent(config.cell, input_size, config.encoder_hidden_size) if config.bidirectional else None
        )
        self.dropout = SharedDropout(config.dropout)
        self.residual = config.residual and input_size == config.memory_size

    def forward(self, inputs: Tensor, lengths: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """`inputs` `[batch, source, input]` -> outputs `[batch, source, memory]`, last hidden `[batch, memory]`."""
        normed = self.norm(inputs)
        outputs, last = run_to_end(self.forwards, normed, lengths)
        if self.backwards is not None:
            reversed_outputs, reversed_last = run_to_end(self.backwards, turn(normed, index), lengths)
            outputs = torch.cat((outputs, turn(reversed_outputs, index)), dim=-1)
            last = torch.cat((last, reversed_last), dim=-1)
        outputs = self.dropout(outputs)
        return (inputs + outputs if self.residual else outputs), last


def run_to_end(layer: Recurrent, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs `[batch, time, hidden]`, and the hidden state after each sentence's own last token `[batch, hidden]`."""
    outputs, _ = layer(inputs, layer.zero_state(inputs.shape[0], inputs))
    last = (lengths - 1)[:, None, None].expand(-1, 1, outputs.shape[-1])
    return outputs, outputs.gather(1, last)[:, 0]


class Encoder(nn.Module):
    """A stack of `EncoderLayer`s over embedded sources."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        sizes = [config.embedding_size] + [config.memory_size] * (config.encoder_layers - 1)
        self.layers = nn.ModuleList(EncoderLayer(config, size) for size in sizes)
        normed = config.layer_norm and config.attention_heads  # without attention nothing reads the memory
        self.norm = nn.LayerNorm(config.memory_size) if normed else nn.Identity()

    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`embedded` `[batch, source, embedding]` -> `[batch, source, memory]`, and lasts `[layers, batch, memory]`."""
        index = reverse_index(lengths, embedded.shape[1])
        hidden, lasts = embedded, []
        for layer in self.layers:
            hidden, last = layer(hidden, lengths, index)
            lasts.append(last)
        return self.norm(hidden), torch.stack(lasts)

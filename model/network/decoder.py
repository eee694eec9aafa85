"""The decoder: the same code over a whole target (teacher forcing) and over one token (search).

    tokens -> embedding -> layer 1 -> (+) -> layer 2 -> ... -> read-out -> logits
                              |        ^
                              +- attention over the memory

Layer 1 makes the query; the context joins the stream that feeds the upper layers and the read-out. Nothing is fed back
into layer 1 (no input feeding), so teacher forcing runs each layer in one fused kernel over the whole sentence, as in
GNMT (Wu et al. 2016) and RNMT+ (Chen et al. 2018).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from model.config import ModelConfig
from model.network.attention import Attention
from model.network.dropout import SharedDropout
from model.network.linear import Linear
from model.network.recurrent import Recurrent


@dataclass(frozen=True)
class DecoderState:
    """All that a step needs to go on. One row a hypothesis."""

    layers: tuple[Tensor, ...]
    """One `[parts, rows, hidden]` a layer."""
    keys: Tensor | None
    """`[rows, heads, size, source]`, or None without attention."""
    values: Tensor | None
    """`[rows, heads, source, size]`, or None without attention."""
    bias: Tensor
    """`[rows, 1, 1, source]`: 0 on tokens, minus infinity on padding."""

    def select(self, rows: Tensor) -> DecoderState:
        """The state of `rows` `[n]`, in that order; a row may be repeated or left out."""
        return DecoderState(
            layers=tuple(layer.index_select(1, rows) for layer in self.layers),
            keys=None if self.keys is None else self.keys.index_select(0, rows),
            values=None if self.values is None else self.values.index_select(0, rows),
            bias=self.bias.index_select(0, rows),
        )


class DecoderLayer(nn.Module):
    """Layer norm -> recurrent kernel -> dropout -> residual where the widths agree."""

    def __init__(self, config: ModelConfig, input_size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(input_size) if config.layer_norm else nn.Identity()
        self.recurrent = Recurrent(config.cell, input_size, config.decoder_hidden_size)
        self.dropout = SharedDropout(config.dropout)
        self.residual = config.residual and input_size == config.decoder_hidden_size

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """`inputs` `[rows, time, input]`, `state` `[parts, rows, hidden]` -> outputs `[rows, time, hidden]`, state."""
        outputs, state = self.recurrent(self.norm(inputs), state)
        outputs = self.dropout(outputs)
        return (inputs + outputs if self.residual else outputs), state


class Decoder(nn.Module):
    """Recurrent layers with one attention, and the read-out down to the embedding width."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        hidden = config.decoder_hidden_size
        sizes = [config.embedding_size] + [hidden] * (config.decoder_layers - 1)
        self.layers = nn.ModuleList(DecoderLayer(config, size) for size in sizes)
        self.attention = (
            Attention(hidden, config.memory_size, config.attention_heads) if config.attention_heads else None
        )
        self.query_norm = nn.LayerNorm(hidden) if config.layer_norm and self.attention else nn.Identity()
        self.norm = nn.LayerNorm(hidden) if config.layer_norm else nn.Identity()
        self.dropout = SharedDropout(config.dropout)
        self.readout = Linear(hidden, config.embedding_size)

    def forward(self, embedded: Tensor, state: DecoderState) -> tuple[Tensor, Tensor | None, DecoderState]:
        """Run over `embedded` `[rows, time, embedding]`.

        Returns:
            read-out `[rows, time, embedding]`, attention `[rows, heads, time, source]` or None, and the next state.
        """
        hidden, weights, states = embedded, None, []
        for number, (layer, layer_state) in enumerate(zip(self.layers, state.layers, strict=True)):
            hidden, new_state = layer(hidden, layer_state)
            states.append(new_state)
            if number == 0 and self.attention is not None:
                context, weights = self.attention(self.query_norm(hidden), state.keys, state.values, state.bias)
                hidden = hidden + self.dropout(context)
        readout = self.readout(self.dropout(self.norm(hidden)))
        return readout, weights, replace(state, layers=tuple(states))


class Bridge(nn.Module):
    """The encoder's last states -> the first state of each decoder layer.

    Where both stacks have the same shape and there is no attention, layer hands over to layer unchanged (Sutskever et
    al. 2014): the 2018 experiment. Otherwise the top state passes one tanh layer (Bahdanau et al. 2015, appendix A).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        same = (config.encoder_layers, config.memory_size) == (config.decoder_layers, config.decoder_hidden_size)
        self.decoder_layers = config.decoder_layers
        self.parts = 2 if config.cell == "lstm" else 1
        hand_over = same and not config.attention_heads
        self.project = (
            None if hand_over else Linear(config.memory_size, config.decoder_layers * config.decoder_hidden_size)
        )

    def forward(self, lasts: Tensor) -> tuple[Tensor, ...]:
        """`lasts` `[layers, batch, memory]` -> one `[parts, batch, hidden]` a decoder layer."""
        if self.project is None:
            return self._as_states(lasts.unbind(0))
        return self.of_projected(self.project(lasts[-1]))

    def of_projected(self, projected: Tensor) -> tuple[Tensor, ...]:
        """The same from what `project` gives of the top layer's last state: `[batch, decoder layers x hidden]`."""
        return self._as_states(torch.tanh(projected).chunk(self.decoder_layers, dim=-1))

    def _as_states(self, states: Iterable[Tensor]) -> tuple[Tensor, ...]:
        if self.parts == 1:
            return tuple(state[None] for state in states)
        return tuple(torch.stack((state, torch.zeros_like(state))) for state in states)

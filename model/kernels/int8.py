"""The network in 8-bit integers, for decoding on CPUs: the same function as `model.network`, laid out for speed.

    token -> row of a table (embedding, norm and input product of layer 1, worked out once) -> cell -> ...

What differs from `Seq2Seq`, measured in docs/decisions/0005-cpu-route.md:

- products in 8 bits through oneDNN, with scales and bias in the same kernel;
- the first layers read their gates from a table with a row for each token: no embedding, norm or product at run time;
- the encoder runs on packed tokens, so padding costs nothing; both directions share the products of their inputs;
- gains and biases of the layer norms are folded into the products behind them.

Weights have one scale an output unit. Activations have one scale a row, or a fixed one where they are hidden states of
a cell and so within [-1, 1]. No scale covers several rows: the neighbours of a sentence do not change it, not by a bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import Cell
from model.kernels.int8_linear import Int8Linear, Normalise, folded, input_weights, table_of
from model.network.attention import Attention
from model.network.batch import padding_mask
from model.network.decoder import DecoderLayer, DecoderState
from model.network.encoder import EncoderLayer
from model.network.recurrent import Recurrent
from model.network.seq2seq import Seq2Seq, StepOutput

SOURCE_STEP = 16
"""Sources are padded to a multiple: at other widths the products of the attention sum in another order."""


class Int8Cell:
    """The part of a recurrent layer that depends on its state."""

    def __init__(self, recurrent: Recurrent) -> None:
        weights: dict[str, Tensor] = dict(recurrent.layer.named_parameters())
        self.cell: Cell = recurrent.cell
        self.hidden_size, self.parts = recurrent.hidden_size, recurrent.parts
        self._of_state = Int8Linear(weights["weight_hh_l0"], weights["bias_hh_l0"])

    def step(self, inputs: Tensor, state: Tensor) -> Tensor:
        """One step, by the equations in the documentation of `torch.nn.GRU`, `LSTM` and `RNN`.

        Args:
            inputs: the input's share of the gates `[rows, gates * hidden]`; may be overwritten.
            state: `[parts, rows, hidden]`

        Returns:
            The next state.
        """
        gates = self._of_state.of_states(state[0])
        size = self.hidden_size
        if self.cell == "gru":
            both = torch.add(inputs[:, : 2 * size], gates[:, : 2 * size]).sigmoid_()
            new = torch.addcmul(inputs[:, 2 * size :], both[:, :size], gates[:, 2 * size :])
            return torch.lerp(tanh_(new), state[0], both[:, size:])[None]
        gates = gates.add_(inputs)
        if self.cell == "rnn":
            return tanh_(gates)[None]
        in_gate, forget, new, out_gate = gates.chunk(4, dim=1)
        memory = forget.sigmoid_() * state[1] + in_gate.sigmoid_() * tanh_(new)
        return torch.stack((out_gate.sigmoid_() * memory.tanh(), memory))


def tanh_(rows: Tensor) -> Tensor:
    """The hyperbolic tangent in place, by the sigmoid: on a CPU PyTorch's own takes eight times as long."""
    return rows.mul_(2).sigmoid_().mul_(2).sub_(1)


class Packing(NamedTuple):
    """Where the tokens of padded sentences lie when they are packed: all first tokens, all second ones, ...

    Sentences are ordered by length, the longest first, so those that have a t-th token are the first `counts[t]` ones.
    """

    counts: list[int]
    tokens: Tensor
    """`[tokens]` indexes into the flattened `[batch, longest]`."""
    mirror: Tensor
    """`[tokens]` the packed place of the token that is as far from the end as this one is from the beginning."""
    last: Tensor
    """`[batch]` the packed place of each sentence's last token, by sentence."""

    @classmethod
    def of(cls, lengths: Tensor, longest: int) -> Packing:
        """For sentences of `lengths` `[batch]`, padded to `longest`."""
        ordered, order = lengths.sort(descending=True, stable=True)
        times = torch.arange(longest)
        exists = times[:, None] < ordered[None, :]  # [longest, batch]
        counts = exists.sum(dim=1)
        starts = counts.cumsum(0) - counts
        time, row = exists.nonzero(as_tuple=True)
        last = torch.empty_like(order)
        last[order] = starts[ordered - 1] + torch.arange(len(order))
        mirror = starts[ordered[row] - 1 - time] + row
        return cls([count for count in counts.tolist() if count], order[row] * longest + time, mirror, last)


class Int8EncoderLayer:
    """One encoder layer over packed tokens."""

    def __init__(self, layer: EncoderLayer) -> None:
        directions = [layer.forwards] if layer.backwards is None else [layer.forwards, layer.backwards]
        self.weights = input_weights(layer.norm, directions)
        self._cells = [Int8Cell(direction) for direction in directions]
        self.residual = layer.residual

    def run(self, gates: Tensor, packing: Packing) -> tuple[Tensor, Tensor]:
        """Gates `[tokens, directions * gates]` -> outputs `[tokens, memory]`, and last hidden `[batch, memory]`."""
        outputs, lasts = [], []
        for number, (cell, part) in enumerate(zip(self._cells, gates.chunk(len(self._cells), dim=1), strict=True)):
            read = _run_cell(cell, part.index_select(0, packing.mirror) if number else part, packing.counts)
            lasts.append(read.index_select(0, packing.last))
            outputs.append(read.index_select(0, packing.mirror) if number else read)
        return torch.cat(outputs, dim=1), torch.cat(lasts, dim=1)


def _run_cell(cell: Int8Cell, gates: Tensor, counts: Sequence[int]) -> Tensor:
    """The hidden states `[tokens, hidden]` of `cell` over packed `gates` `[tokens, gates * hidden]`."""
    state = gates.new_zeros(cell.parts, counts[0], cell.hidden_size)
    hidden, start = [], 0
    for count in counts:
        state = cell.step(gates[start : start + count], state[:, :count])
        hidden.append(state[0])
        start += count
    return torch.cat(hidden)


class Int8Encoder:
    """Embeddings and encoder: ids -> memory and last states."""

    def __init__(self, model: Seq2Seq) -> None:
        layers: list[EncoderLayer] = list(model.encoder.layers)  # type: ignore[arg-type]
        self._layers = [Int8EncoderLayer(layer) for layer in layers]
        self.table = table_of(model.source_embedding, layers[0].norm, self._layers[0].weights)
        self._embedding = model.source_embedding.weight.float() if layers[0].residual else None
        self._inputs = [Int8Linear(*layer.weights) for layer in self._layers[1:]]
        self._norms = [Normalise(layer.norm) for layer in layers[1:]]

    def __call__(self, ids: Tensor, packing: Packing) -> tuple[Tensor, list[Tensor]]:
        """Packed `ids` `[tokens]` -> memory `[tokens, memory]`, and the last hidden `[batch, memory]` of each layer."""
        inputs = None if self._embedding is None else self._embedding.index_select(0, ids)
        gates, lasts = self.table.index_select(0, ids).float(), []
        hidden = gates
        for number, layer in enumerate(self._layers):
            if number:
                gates = self._inputs[number - 1](self._norms[number - 1](hidden))
                inputs = hidden
            outputs, last = layer.run(gates, packing)
            lasts.append(last)
            hidden = outputs.add_(inputs) if layer.residual and inputs is not None else outputs
        return hidden, lasts


class Int8Attention:
    """`model.network.attention.Attention` with its projections in 8 bits."""

    def __init__(self, attention: Attention, memory_norm: nn.Module, query_norm: nn.Module) -> None:
        self._heads = attention.heads
        self._norm, self._query_norm = Normalise(memory_norm), Normalise(query_norm)
        weight, bias = folded(query_norm, attention.query.weight, attention.query.bias)
        self._query = Int8Linear(weight * attention.scale, bias * attention.scale)
        both = torch.cat((attention.key.weight, attention.value.weight))
        self._keys_values = Int8Linear(*folded(memory_norm, both, None))
        self._output = Int8Linear(attention.output.weight, attention.output.bias)

    def project(self, memory: Tensor, packing: Packing, batch: int, longest: int) -> tuple[Tensor, Tensor]:
        """Packed memory `[tokens, memory]` -> keys and values of `longest` places, as from `Attention.project`."""
        both = self._keys_values(self._norm(memory))
        padded = both.new_zeros(batch * longest, both.shape[1]).index_copy_(0, packing.tokens, both)
        split = padded.view(batch, longest, 2, self._heads, -1)
        return split[:, :, 0].permute(0, 2, 3, 1).contiguous(), split[:, :, 1].transpose(1, 2).contiguous()

    def __call__(self, rows: Tensor, state: DecoderState) -> tuple[Tensor, Tensor]:
        """`[rows, query]` -> context `[rows, query]`, weights `[rows, source]`, the mean over the heads."""
        if state.keys is None or state.values is None:
            raise ValueError("the state has no keys and values")
        queries = self._query(self._query_norm(rows)).view(len(rows), self._heads, 1, -1)
        weights = torch.matmul(queries, state.keys).add_(state.bias).softmax(dim=-1)
        context = torch.matmul(weights, state.values).flatten(1)
        return self._output(context), weights[:, :, 0].mean(dim=1)


class Int8DecoderLayer:
    """One decoder layer, one step at a time."""

    def __init__(self, layer: DecoderLayer, first: bool) -> None:
        self.weights = input_weights(layer.norm, [layer.recurrent])
        self._norm, self._cell, self._residual = Normalise(layer.norm), Int8Cell(layer.recurrent), layer.residual
        self._inputs = None if first else Int8Linear(*self.weights)

    def first(self, gates: Tensor, embedded: Tensor | None, state: Tensor) -> tuple[Tensor, Tensor]:
        """Layer 1: `gates` `[rows, gates * hidden]` from the table; the output `[rows, hidden]` and the next state."""
        state = self._cell.step(gates, state)
        return (state[0] if embedded is None else state[0] + embedded), state

    def __call__(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """An upper layer: `[rows, input]` -> the output `[rows, hidden]` and the next state."""
        if self._inputs is None:
            raise ValueError("the first layer reads a table")
        state = self._cell.step(self._inputs(self._norm(rows)), state)
        return (state[0] + rows if self._residual else state[0]), state


class Int8Network:
    """A `Seq2Seq` for inference, with the same `encode` and `step`."""

    def __init__(self, model: Seq2Seq) -> None:
        """From `model` on a CPU, in fp32; it stays as it is."""
        with torch.inference_mode():
            decoder = model.decoder
            self._encoder, self._bridge = Int8Encoder(model), model.bridge
            self.source_table = self._encoder.table
            project = model.bridge.project
            self._project = None if project is None else Int8Linear(project.weight, project.bias)
            layers: list[DecoderLayer] = list(decoder.layers)  # type: ignore[arg-type]
            self._layers = [Int8DecoderLayer(layer, number == 0) for number, layer in enumerate(layers)]
            self.target_table = table_of(model.target_embedding, layers[0].norm, self._layers[0].weights)
            self._embedding = model.target_embedding.weight.float() if layers[0].residual else None
            self._attention = (
                None
                if decoder.attention is None
                else Int8Attention(decoder.attention, model.encoder.norm, decoder.query_norm)
            )
            self._norm = Normalise(decoder.norm)
            self._readout = Int8Linear(*folded(decoder.norm, decoder.readout.weight, decoder.readout.bias))
            self._output = Int8Linear(model.output.weight, model.output.bias)

    def encode(self, source: Tensor, lengths: Tensor) -> DecoderState:
        """As `Seq2Seq.encode`."""
        source = functional.pad(source, (0, -source.shape[1] % SOURCE_STEP))
        batch, longest = source.shape
        packing = Packing.of(lengths, longest)
        memory, lasts = self._encoder(source.flatten().index_select(0, packing.tokens), packing)
        keys = values = None
        if self._attention is not None:
            keys, values = self._attention.project(memory, packing, batch, longest)
        tokens = padding_mask(lengths, longest)
        bias = torch.zeros(tokens.shape).masked_fill_(~tokens, float("-inf"))
        return DecoderState(self._first_states(lasts), keys, values, bias[:, None, None, :])

    def _first_states(self, lasts: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if self._project is None:
            return self._bridge(torch.stack(list(lasts)))  # type: ignore[no-any-return]
        return self._bridge.of_projected(self._project(lasts[-1]))

    def step(self, tokens: Tensor, state: DecoderState) -> StepOutput:
        """As `Seq2Seq.step`."""
        gates = self.target_table.index_select(0, tokens).float()
        embedded = None if self._embedding is None else self._embedding.index_select(0, tokens)
        hidden, first = self._layers[0].first(gates, embedded, state.layers[0])
        weights, states = None, [first]
        if self._attention is not None:
            context, weights = self._attention(hidden, state)
            hidden = context.add_(hidden)
        for layer, layer_state in zip(self._layers[1:], state.layers[1:], strict=True):
            hidden, new_state = layer(hidden, layer_state)
            states.append(new_state)
        logits = self._output(self._readout(self._norm(hidden)))
        return StepOutput(logits, weights, replace(state, layers=tuple(states)))

"""One recurrent layer over whole sequences or a single step, for any of the three cells.

Training runs the fused kernels of `torch.nn.GRU` and its kin over whole sentences, or one of a faster make that whoever
builds a network for training puts on its layers. Search runs one step at a time on the same weights through the cell
functions, which skip the sequence bookkeeping.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from model.config import Cell

Kernel = Callable[[nn.GRU, Tensor, Tensor], tuple[Tensor, Tensor]]
"""`(layer, inputs, state) -> outputs, last state`: what `layer` itself gives, with gradients."""
LAYERS: dict[Cell, type[nn.GRU | nn.LSTM | nn.RNN]] = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}


class Recurrent(nn.Module):
    """A single one-directional layer. Its state is `[parts, batch, hidden]`: 2 parts for LSTM (hidden, cell), or 1."""

    def __init__(self, cell: Cell, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = cell
        self.hidden_size = hidden_size
        self.parts = 2 if cell == "lstm" else 1
        self.training_kernel: Kernel | None = None
        self.layer = LAYERS[cell](input_size, hidden_size, batch_first=True)
        for name, parameter in self.layer.named_parameters():
            if name.startswith("weight_hh"):
                for gate in parameter.data.chunk(parameter.shape[0] // hidden_size):
                    nn.init.orthogonal_(gate)
            elif name.startswith("weight_ih"):
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)

    def zero_state(self, batch: int, like: Tensor) -> Tensor:
        """`[parts, batch, hidden]` zeros of the dtype and device of `like`."""
        return like.new_zeros(self.parts, batch, self.hidden_size)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run over `inputs` `[batch, time, input]` from `state`: outputs `[batch, time, hidden]` and the last state."""
        if inputs.shape[1] == 1 and not torch.is_grad_enabled():
            return self._one_step(inputs[:, 0], state)
        if self.cell == "lstm":
            outputs, (hidden, memory) = self.layer(inputs, (state[:1].contiguous(), state[1:].contiguous()))
            return outputs, torch.cat((hidden, memory))
        if isinstance(self.layer, nn.GRU) and self.training_kernel is not None and torch.is_grad_enabled():
            return self.training_kernel(self.layer, inputs, state)
        return self.layer(inputs, state.contiguous())  # type: ignore[no-any-return]

    def _one_step(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """`inputs` `[batch, input]`; the same as `forward` over one time step."""
        layer = self.layer
        weights = (layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0)
        if self.cell == "lstm":
            hidden, memory = torch.lstm_cell(inputs, (state[0], state[1]), *weights)  # type: ignore[arg-type]
            return hidden[:, None], torch.stack((hidden, memory))
        step = torch.gru_cell if self.cell == "gru" else torch.rnn_tanh_cell
        hidden = step(inputs, state[0], *weights)  # type: ignore[arg-type]
        return hidden[:, None], hidden[None]

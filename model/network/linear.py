"""A linear layer that a faster make may run in training, as `model.network.recurrent` has it for recurrent ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Linear(nn.Linear):
    """`torch.nn.Linear` with the same weights."""

    training_kernel: Callable[[nn.Linear, Tensor], Tensor] | None = None
    """`(layer, inputs) -> outputs`, with gradients: for whoever builds a network for training."""

    def forward(self, inputs: Tensor) -> Tensor:
        """`inputs` `[..., input]` -> `[..., output]`."""
        if self.training_kernel is not None and torch.is_grad_enabled():
            return self.training_kernel(self, inputs)
        return super().forward(inputs)

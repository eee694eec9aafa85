"""How a model runs on the hardware at hand: the number format of its kernels, called its route.

    fp32   everywhere; the reference
    bf16   weights and activations in bfloat16, products summed in fp32: where the hardware multiplies it fast
    int8   CPU only: weights and activations as 8-bit integers, summed exactly; the fastest where there is VNNI

In the int8 route every output unit has its own weight scale, fixed, and every row its own activation scale. A scale
over the whole batch (as PyTorch's dynamic quantisation has) would let the neighbours of a sentence change it.
"""

from __future__ import annotations

import copy
from typing import Literal

import torch
from torch import Tensor, nn

from model.config import Cell, require
from model.recurrent import Recurrent
from model.seq2seq import Seq2Seq

Route = Literal["fp32", "bf16", "int8"]
ROUTES: tuple[Route, ...] = ("fp32", "bf16", "int8")
LEVELS = 127
"""Largest magnitude of a symmetric 8-bit value."""


def fast_bfloat16(device: torch.device) -> bool:
    """Whether `device` multiplies bf16 faster than fp32 (AVX512-BF16 or AMX on x86; Ampere or newer on CUDA)."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


def fast_int8(device: torch.device) -> bool:
    """Whether `device` is a CPU with 8-bit dot products (VNNI)."""
    return device.type == "cpu" and bool(torch.cpu._is_vnni_supported())


def best_route(device: torch.device) -> Route:
    """The fastest route on `device`; docs/decisions/0005-cpu-route.md has the measurements."""
    if fast_int8(device):
        return "int8"
    return "bf16" if fast_bfloat16(device) else "fp32"


def prepare(model: Seq2Seq, device: torch.device, route: str) -> Seq2Seq:
    """`model` on `device`, ready for inference by `route` (`auto` takes the best); the original stays as it was.

    Raises:
        ConfigError: unknown route, or int8 asked for on something other than a CPU.
    """
    chosen = best_route(device) if route == "auto" else route
    require(chosen in ROUTES, f"route must be auto or one of {', '.join(ROUTES)}, not {route!r}")
    require(chosen != "int8" or device.type == "cpu", "the int8 route runs on CPUs only")
    prepared = copy.deepcopy(model).to(device).eval().requires_grad_(False)
    if chosen == "bf16":
        prepared.to(torch.bfloat16)
    elif chosen == "int8":
        _to_int8(prepared)
    return prepared


def _to_int8(module: nn.Module) -> None:
    """Replace every linear and recurrent layer below `module` by its 8-bit twin."""
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, Int8Linear.of(child.weight, child.bias))
        elif isinstance(child, Recurrent):
            setattr(module, name, Int8Recurrent(child))
        else:
            _to_int8(child)


class Int8Linear(nn.Module):
    """A linear layer whose weight rows and activation rows are 8-bit integers with one scale each."""

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)
        self.register_buffer("bias", bias)

    weight: Tensor
    """`[out, in]` int8: in this order one row is multiplied three times as fast as in the other."""
    scale: Tensor
    """`[out]` fp32."""
    bias: Tensor
    """`[out]` fp32."""

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor | None) -> Int8Linear:
        """From `weight` `[out, in]` and `bias` `[out]`."""
        rows, scale = quantise_rows(weight.detach().float())
        zeros = torch.zeros(weight.shape[0], device=weight.device)
        return cls(rows, scale[:, 0], zeros if bias is None else bias.detach().float())

    def forward(self, inputs: Tensor) -> Tensor:
        """`[..., in]` fp32 -> `[..., out]` fp32."""
        rows, scale = quantise_rows(inputs.flatten(0, -2))
        summed = torch._int_mm(rows, self.weight.t())  # [rows, out] int32, exact
        scaled = summed.float().mul_(scale)
        return torch.addcmul(self.bias, scaled, self.scale, out=scaled).view(*inputs.shape[:-1], -1)


def quantise_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """`rows` `[n, size]` as int8 with the scale `[n, 1]` that gives them back."""
    scale = rows.abs().amax(dim=1, keepdim=True).clamp_(min=1e-8).div_(LEVELS)
    return (rows / scale).round_().to(torch.int8), scale


class Int8Recurrent(nn.Module):
    """`model.recurrent.Recurrent` with both of its products in 8 bits; for inference."""

    def __init__(self, original: Recurrent) -> None:
        super().__init__()
        weights: dict[str, Tensor] = dict(original.layer.named_parameters())
        self.cell: Cell = original.cell
        self.hidden_size, self.parts = original.hidden_size, original.parts
        self.of_input = Int8Linear.of(weights["weight_ih_l0"], weights["bias_ih_l0"])
        self.of_hidden = Int8Linear.of(weights["weight_hh_l0"], weights["bias_hh_l0"])

    def zero_state(self, batch: int, like: Tensor) -> Tensor:
        """`[parts, batch, hidden]` zeros."""
        return like.new_zeros(self.parts, batch, self.hidden_size)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """As `Recurrent.forward`: outputs `[batch, time, hidden]` and the last state `[parts, batch, hidden]`."""
        projected = self.of_input(inputs)  # [batch, time, gates x hidden]
        outputs = []
        for time in range(inputs.shape[1]):
            state = self._step(projected[:, time], state)
            outputs.append(state[0])
        return torch.stack(outputs, dim=1), state

    def _step(self, from_input: Tensor, state: Tensor) -> Tensor:
        """One step, by the equations in the documentation of `torch.nn.GRU`, `LSTM` and `RNN`."""
        from_hidden = self.of_hidden(state[0])
        if self.cell == "gru":
            reset_in, update_in, new_in = from_input.chunk(3, dim=-1)
            reset_hidden, update_hidden, new_hidden = from_hidden.chunk(3, dim=-1)
            new = torch.tanh(torch.addcmul(new_in, torch.sigmoid(reset_in + reset_hidden), new_hidden))
            return torch.lerp(new, state[0], torch.sigmoid(update_in + update_hidden))[None]
        gates = from_input + from_hidden
        if self.cell == "rnn":
            return torch.tanh(gates)[None]
        in_gate, forget, new, out_gate = gates.chunk(4, dim=-1)
        memory = torch.sigmoid(forget) * state[1] + torch.sigmoid(in_gate) * torch.tanh(new)
        return torch.stack((torch.sigmoid(out_gate) * torch.tanh(memory), memory))

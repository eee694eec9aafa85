"""Training with `train_bf16.c` and `train_fp32.c`: a recurrent layer, a linear one and the cross-entropy as an autograd
function each.

All between two products is one call to C. The recurrent weights' gradient is one product over all time steps instead of
one a step.
"""

from __future__ import annotations

import ctypes
import functools
from ctypes import c_float, c_int64, c_void_p
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from model.kernels.native_library import Able, load_library
from model.kernels.products import Right, is_own, product
from model.network.linear import Linear
from model.network.recurrent import Recurrent

CHUNK_TOKENS = 512
"""Rows of logits at a time: 512 x 8,000 in bf16 are 8 MB and stay in the last-level cache."""

_ARGUMENTS = {
    "gru_forward": [c_int64] * 2 + [c_void_p, c_int64] + [c_void_p] * 6 + [c_int64, c_void_p],
    "gru_backward": [c_int64] * 2 + [c_void_p, c_int64] + [c_void_p] * 5 + [c_int64] + [c_void_p] * 2,
    "cross_entropy": [c_int64] * 2 + [c_void_p] * 2 + [c_float] + [c_void_p] * 3,
}
_MADE_FOR: dict[torch.dtype, tuple[Able, str, int]] = {
    torch.bfloat16: ("can_train_bf16", "bf16", 16),
    torch.float32: ("can_train_fp32", "fp32", 8),
}
"""Type -> what its CPU must be able to, how its functions' names end, and of what their sizes must be multiples."""


@dataclass(frozen=True)
class Kernels:
    """The functions of C for one type of number."""

    gru_forward: Any
    gru_backward: Any
    cross_entropy: Any
    lanes: int
    """Sizes must be multiples of it: numbers in a register."""


@functools.cache
def kernels(dtype: torch.dtype) -> Kernels | None:
    """The compiled functions for `dtype`, or None where there are none or this CPU cannot run them."""
    if dtype not in _MADE_FOR:
        return None
    able, name, lanes = _MADE_FOR[dtype]
    library = load_library(able)
    return (
        None if library is None else Kernels(**{one: _function(library, one, name) for one in _ARGUMENTS}, lanes=lanes)
    )


def _function(library: ctypes.CDLL, name: str, suffix: str) -> Any:
    function = getattr(library, f"{name}_{suffix}")
    function.argtypes, function.restype = _ARGUMENTS[name], None
    return function


def is_fused(tensor: Tensor, *sizes: int) -> bool:
    """Whether the functions here take `tensor`, with layers of these `sizes`: on a CPU, bf16 or fp32."""
    found = kernels(tensor.dtype) if tensor.device.type == "cpu" else None
    return found is not None and all(size % found.lanes == 0 for size in sizes)


def install(model: nn.Module) -> None:
    """Let the functions here run the GRU and linear layers of `model` in training, where they take what those read."""
    for part in model.modules():
        if isinstance(part, Recurrent):
            part.training_kernel = run_layer
        elif isinstance(part, Linear):
            part.training_kernel = run_linear


def run_layer(layer: nn.GRU, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """`layer` over `inputs` `[batch, time, input]` from `state` `[1, batch, hidden]`: outputs and last state."""
    if not is_fused(inputs, layer.hidden_size):
        return layer(inputs, state.contiguous())  # type: ignore[no-any-return]
    outputs, last = FusedGRU.apply(inputs, state[0], *layer._flat_weights)  # type: ignore[no-untyped-call]
    return outputs, last[None]


def run_linear(layer: nn.Linear, inputs: Tensor) -> Tensor:
    """`layer` over `inputs` `[..., input]`."""
    if not is_own(inputs):
        return nn.functional.linear(inputs, layer.weight, layer.bias)
    outputs = FusedLinear.apply(inputs.flatten(0, -2), layer.weight, layer.bias)  # type: ignore[no-untyped-call]
    return outputs.unflatten(0, inputs.shape[:-1])  # type: ignore[no-any-return]


class FusedLinear(torch.autograd.Function):
    """A linear layer on the products of `train_fp32.c`."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """`inputs` `[rows, input]`, `weight` `[output, input]`, `bias` `[output]`; outputs `[rows, output]`."""
        ctx.save_for_backward(inputs, weight)
        return Right(weight.t()).multiply(inputs, bias=bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the three arguments of `forward`."""
        inputs, weight = ctx.saved_tensors
        return product(grad, weight), product(grad.t(), inputs), grad.sum(dim=0) if ctx.needs_input_grad[2] else None


class FusedGRU(torch.autograd.Function):
    """One GRU layer in one direction over whole sentences, with the weights of `torch.nn.GRU`."""

    @staticmethod
    def forward(  # noqa: PLR0913 - autograd passes a layer's weights one by one
        ctx: Any, inputs: Tensor, state: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor
    ) -> tuple[Tensor, Tensor]:
        """`inputs` `[batch, time, input]`, `state` `[batch, hidden]`; outputs `[batch, time, hidden]`, last state."""
        kernel, right = _kernels(inputs), Right(weight_hh.t())
        batch, time, hidden = inputs.shape[0], inputs.shape[1], weight_hh.shape[1]
        inputs = inputs.contiguous()
        gates = product(inputs.flatten(0, 1), weight_ih.t())  # [batch x time, 3 hidden]
        states = inputs.new_empty(time + 1, batch, hidden)
        states[0] = state
        outputs, kept = inputs.new_empty(batch, time, hidden), inputs.new_empty(time, batch, 4 * hidden)
        products = inputs.new_empty(batch, 3 * hidden)
        biases = bias_ih.float().contiguous(), bias_hh.float().contiguous()
        for step in range(time):
            right.multiply(states[step], out=products)
            kernel.gru_forward(
                batch, hidden, _at(gates, step), time * 3 * hidden, _at(products), _at(biases[0]), _at(biases[1]),
                _at(states, step), _at(states, step + 1), _at(outputs, 0, step), time * hidden, _at(kept, step),
            )  # fmt: skip
        ctx.save_for_backward(inputs, states, kept, weight_ih, weight_hh)
        return outputs, states[time]

    @staticmethod
    def backward(ctx: Any, of_outputs: Tensor, of_last: Tensor) -> tuple[Tensor, ...]:
        """Gradients of the six arguments of `forward`."""
        inputs, states, kept, weight_ih, weight_hh = ctx.saved_tensors
        kernel, right = _kernels(inputs), Right(weight_hh)
        time, batch, hidden = states.shape[0] - 1, states.shape[1], states.shape[2]
        of_outputs, through = of_outputs.contiguous(), of_last.contiguous().clone()
        carry = torch.zeros(batch, hidden, dtype=torch.float32)
        bias = torch.zeros(4 * hidden, dtype=torch.float32)
        of_gates, of_products = inputs.new_empty(batch * time, 3 * hidden), inputs.new_empty(time, batch, 3 * hidden)
        for step in reversed(range(time)):
            kernel.gru_backward(
                batch, hidden, _at(of_outputs, 0, step), time * hidden, _at(through), _at(carry), _at(kept, step),
                _at(states, step), _at(of_gates, step), time * 3 * hidden, _at(of_products, step), _at(bias),
            )  # fmt: skip
            right.multiply(of_products[step], out=through)
        dtype = inputs.dtype
        flat = of_products.flatten(0, 1)
        return (
            product(of_gates, weight_ih).view_as(inputs),
            (through.float() + carry).to(dtype),
            product(of_gates.t(), inputs.flatten(0, 1)),
            product(flat.t(), states[:-1].flatten(0, 1)),
            bias[: 3 * hidden].to(dtype),
            torch.cat((bias[: 2 * hidden], bias[3 * hidden :])).to(dtype),
        )


def cross_entropy_gradients(
    rows: Tensor, weight: Tensor, bias: Tensor, labels: Tensor, smoothing: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of sum(-log softmax) with `1 - smoothing` on the label, and what the whole loss is made of.

    Args:
        rows: `[tokens, size]`, what the output layer reads.
        weight: `[vocab, size]`, and `bias` `[vocab]` of the output layer, fp32 as a rule.
        labels: `[tokens]`

    Returns:
        gradients of `rows`, `weight` and `bias`; `[2]`: the sums of the negative log-likelihoods, and of the logarithms
        of the softmax's denominators.

    Raises:
        IndexError: a label is not in the vocabulary.
    """
    kernel = _kernels(rows)
    vocab, labels = len(bias), labels.long().contiguous()
    if bool(((labels < 0) | (labels >= vocab)).any()):
        raise IndexError(f"a label is not one of {vocab} words")
    narrow, narrow_bias = weight.to(rows.dtype), bias.to(rows.dtype)
    upwards, downwards = Right(narrow.t()), Right(narrow)
    row_grad, weight_grad = rows.new_empty(rows.shape), weight.new_zeros(weight.shape)
    bias_grad, scratch = torch.zeros(vocab, dtype=torch.float32), torch.empty(vocab, dtype=torch.float32)
    sums = torch.zeros(2, dtype=torch.float64)
    for start in range(0, rows.shape[0], CHUNK_TOKENS):
        chunk = rows[start : start + CHUNK_TOKENS]
        logits = upwards.multiply(chunk, bias=narrow_bias)  # [chunk, vocab]
        kernel.cross_entropy(
            *logits.shape, _at(logits), _at(labels, start), smoothing, _at(scratch), _at(bias_grad), _at(sums)
        )
        downwards.multiply(logits, out=row_grad[start : start + CHUNK_TOKENS])
        Right(chunk).add_to(weight_grad, logits.t())
    return row_grad, weight_grad, bias_grad.to(bias.dtype), sums.float()


def _kernels(tensor: Tensor) -> Kernels:
    found = kernels(tensor.dtype)
    if found is None:
        raise RuntimeError("the functions for training are not compiled, or not for this CPU")
    return found


def _at(tensor: Tensor, *indexes: int) -> int:
    """Address of `tensor[indexes]`."""
    offset = sum(index * stride for index, stride in zip(indexes, tensor.stride(), strict=False))
    return tensor.data_ptr() + offset * tensor.element_size()

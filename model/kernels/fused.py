"""Training with `train.c`: a recurrent layer and the cross-entropy as one autograd function each.

PyTorch keeps the products (on a CPU that multiplies bf16, oneDNN's) and autograd; all between two products is one call
to C. The recurrent weights' gradient is one product over all time steps instead of one a step, added in bf16.
"""

from __future__ import annotations

import ctypes
import functools
from ctypes import c_float, c_int64, c_void_p
from typing import Any

import torch
from torch import Tensor, nn

from model.kernels.native_library import load_library
from model.network.recurrent import Recurrent

WIDTH = 16
"""Sizes must be multiples of it: numbers in a register of AVX-512."""
CHUNK_TOKENS = 512
"""Rows of logits at a time: 512 x 8,000 in bf16 are 8 MB and stay in the last-level cache."""

_ARGUMENTS = {
    "gru_forward": [c_int64] * 2 + [c_void_p, c_int64] + [c_void_p] * 6 + [c_int64, c_void_p],
    "gru_backward": [c_int64] * 2 + [c_void_p, c_int64] + [c_void_p] * 5 + [c_int64] + [c_void_p] * 2,
    "cross_entropy": [c_int64] * 2 + [c_void_p] * 2 + [c_float] + [c_void_p] * 3,
}


@functools.cache
def kernels() -> ctypes.CDLL | None:
    """The compiled functions, or None where there are none or this CPU cannot run them."""
    library = load_library()
    if library is not None:
        for name, arguments in _ARGUMENTS.items():
            function = getattr(library, name)
            function.argtypes, function.restype = arguments, None
    return library


def is_fused(tensor: Tensor, *sizes: int) -> bool:
    """Whether the functions here take `tensor`, with layers of these `sizes`: bf16 on a CPU."""
    fits = tensor.dtype == torch.bfloat16 and tensor.device.type == "cpu"
    return fits and all(size % WIDTH == 0 for size in sizes) and kernels() is not None


def install(model: nn.Module) -> None:
    """Let `train.c` run the GRU layers of `model` in training, wherever it takes what they read."""
    for part in model.modules():
        if isinstance(part, Recurrent):
            part.training_kernel = run_layer


def run_layer(layer: nn.GRU, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """`layer` over `inputs` `[batch, time, input]` from `state` `[1, batch, hidden]`: outputs and last state."""
    if not is_fused(inputs, layer.hidden_size):
        return layer(inputs, state.contiguous())  # type: ignore[no-any-return]
    outputs, last = FusedGRU.apply(inputs, state[0], *layer._flat_weights)  # type: ignore[no-untyped-call]
    return outputs, last[None]


class FusedGRU(torch.autograd.Function):
    """One GRU layer in one direction over whole sentences, with the weights of `torch.nn.GRU`."""

    @staticmethod
    def forward(  # noqa: PLR0913 - autograd passes a layer's weights one by one
        ctx: Any, inputs: Tensor, state: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor
    ) -> tuple[Tensor, Tensor]:
        """`inputs` `[batch, time, input]`, `state` `[batch, hidden]`; outputs `[batch, time, hidden]`, last state."""
        library = _library()
        batch, time, hidden = inputs.shape[0], inputs.shape[1], weight_hh.shape[1]
        inputs = inputs.contiguous()
        gates = inputs.flatten(0, 1) @ weight_ih.t()  # [batch x time, 3 hidden]
        states = inputs.new_empty(time + 1, batch, hidden)
        states[0] = state
        outputs, kept = inputs.new_empty(batch, time, hidden), inputs.new_empty(time, batch, 4 * hidden)
        products = inputs.new_empty(batch, 3 * hidden)
        biases = bias_ih.float().contiguous(), bias_hh.float().contiguous()
        for step in range(time):
            torch.mm(states[step], weight_hh.t(), out=products)
            library.gru_forward(
                batch, hidden, _at(gates, step), time * 3 * hidden, _at(products), _at(biases[0]), _at(biases[1]),
                _at(states, step), _at(states, step + 1), _at(outputs, 0, step), time * hidden, _at(kept, step),
            )  # fmt: skip
        ctx.save_for_backward(inputs, states, kept, weight_ih, weight_hh)
        return outputs, states[time]

    @staticmethod
    def backward(ctx: Any, of_outputs: Tensor, of_last: Tensor) -> tuple[Tensor, ...]:
        """Gradients of the six arguments of `forward`."""
        library = _library()
        inputs, states, kept, weight_ih, weight_hh = ctx.saved_tensors
        time, batch, hidden = states.shape[0] - 1, states.shape[1], states.shape[2]
        of_outputs, product = of_outputs.contiguous(), of_last.contiguous().clone()
        carry = torch.zeros(batch, hidden, dtype=torch.float32)
        bias = torch.zeros(4 * hidden, dtype=torch.float32)
        of_gates, of_products = inputs.new_empty(batch * time, 3 * hidden), inputs.new_empty(time, batch, 3 * hidden)
        for step in reversed(range(time)):
            library.gru_backward(
                batch, hidden, _at(of_outputs, 0, step), time * hidden, _at(product), _at(carry), _at(kept, step),
                _at(states, step), _at(of_gates, step), time * 3 * hidden, _at(of_products, step), _at(bias),
            )  # fmt: skip
            torch.mm(of_products[step], weight_hh, out=product)
        dtype = inputs.dtype
        flat = of_products.flatten(0, 1)
        return (
            (of_gates @ weight_ih).view_as(inputs),
            (product.float() + carry).to(dtype),
            of_gates.t() @ inputs.flatten(0, 1),
            flat.t() @ states[:-1].flatten(0, 1),
            bias[: 3 * hidden].to(dtype),
            torch.cat((bias[: 2 * hidden], bias[3 * hidden :])).to(dtype),
        )


def cross_entropy_gradients(
    rows: Tensor, weight: Tensor, bias: Tensor, labels: Tensor, smoothing: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of sum(-log softmax) with `1 - smoothing` on the label, and what the whole loss is made of.

    Args:
        rows: `[tokens, size]` bf16, what the output layer reads.
        weight: `[vocab, size]`, and `bias` `[vocab]` of the output layer, fp32 as a rule.
        labels: `[tokens]`

    Returns:
        gradients of `rows`, `weight` and `bias`; `[2]`: the sums of the negative log-likelihoods, and of the logarithms
        of the softmax's denominators.

    Raises:
        IndexError: a label is not in the vocabulary.
    """
    library = _library()
    vocab, labels = len(bias), labels.long().contiguous()
    if bool(((labels < 0) | (labels >= vocab)).any()):
        raise IndexError(f"a label is not one of {vocab} words")
    narrow, narrow_bias = weight.to(rows.dtype), bias.to(rows.dtype)
    row_grad, weight_grad = torch.empty_like(rows), torch.zeros_like(weight)
    bias_grad, scratch = torch.zeros(vocab, dtype=torch.float32), torch.empty(vocab, dtype=torch.float32)
    sums = torch.zeros(2, dtype=torch.float64)
    for start in range(0, rows.shape[0], CHUNK_TOKENS):
        chunk = rows[start : start + CHUNK_TOKENS]
        logits = torch.addmm(narrow_bias, chunk, narrow.t())  # [chunk, vocab]
        library.cross_entropy(
            *logits.shape, _at(logits), _at(labels, start), smoothing, _at(scratch), _at(bias_grad), _at(sums)
        )
        torch.mm(logits, narrow, out=row_grad[start : start + CHUNK_TOKENS])
        weight_grad += logits.t() @ chunk
    return row_grad, weight_grad, bias_grad.to(bias.dtype), sums.float()


def _library() -> ctypes.CDLL:
    library = kernels()
    if library is None:
        raise RuntimeError("train.c is not compiled")
    return library


def _at(tensor: Tensor, *indexes: int) -> int:
    """Address of `tensor[indexes]`."""
    offset = sum(index * stride for index, stride in zip(indexes, tensor.stride(), strict=False))
    return tensor.data_ptr() + offset * tensor.element_size()

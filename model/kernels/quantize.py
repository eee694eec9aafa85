"""Networks in PyTorch for each number format (`model.routes`).

bf16: weights and activations in bfloat16, products summed in fp32. int8: `.int8` says how it works. In none of them do
the neighbours of a sentence change it, but for rounding.
"""

from __future__ import annotations

import copy
from typing import Protocol

import torch
from torch import Tensor

from model.config import require
from model.kernels.int8 import Int8Network
from model.kernels.int8_linear import available
from model.network.decoder import DecoderState
from model.network.seq2seq import Seq2Seq, StepOutput

ROUTES = ("fp32", "bf16", "int8")


class Network(Protocol):
    """What decoding needs of a network."""

    def encode(self, source: Tensor, lengths: Tensor) -> DecoderState:
        """The first state for `source` `[batch, source]` of `lengths` `[batch]`."""

    def step(self, tokens: Tensor, state: DecoderState) -> StepOutput:
        """One step: `tokens` `[rows]` are the last chosen ones."""


def fast_bfloat16(device: str) -> bool:
    """Whether `device` multiplies bf16 faster than fp32 (AVX512-BF16 or AMX on x86; Ampere or newer on CUDA)."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


def fast_int8(device: str) -> bool:
    """Whether `device` is a CPU with 8-bit dot products."""
    return device == "cpu" and available()


def checked_route(route: str, device: str) -> str:
    """`route`, or for `auto` the fastest one of PyTorch on `device`: docs/decisions/0005-cpu-route.md has measurements.

    Raises:
        ConfigError: there is no such route, or int8 is asked for where there are no 8-bit dot products.
    """
    require(route in ("auto", *ROUTES), f"route must be auto or one of {', '.join(ROUTES)}, not {route!r}")
    if route == "auto":
        return "int8" if fast_int8(device) else "bf16" if fast_bfloat16(device) else "fp32"
    fits = route != "int8" or fast_int8(device)
    require(fits, "the int8 route needs decode.c, or a CPU with 8-bit dot products (VNNI)")
    return route


def prepare(model: Seq2Seq, device: str, route: str) -> Network:
    """`model` on `device`, ready for inference by `route`, one of `ROUTES`; the original stays as it was."""
    if route == "int8":
        return Int8Network(model)
    prepared = copy.deepcopy(model).to(device).eval().requires_grad_(False)
    return prepared.to(torch.bfloat16) if route == "bf16" else prepared

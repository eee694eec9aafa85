"""How a model runs on the hardware at hand: the number format of its kernels, called its route.

    fp32   everywhere; the reference
    bf16   weights and activations in bfloat16, products summed in fp32: where the hardware multiplies it fast
    int8   CPU only: weights and activations as 8-bit integers, summed exactly; the fastest where there is VNNI

`.int8` says how the last one works. In none of them do the neighbours of a sentence change it, but for rounding.
"""

from __future__ import annotations

import copy
from typing import Literal, Protocol

import torch
from torch import Tensor

from model.config import require
from model.errors import ConfigError
from model.kernels.int8 import Int8Network
from model.kernels.int8_linear import available
from model.network.decoder import DecoderState
from model.network.seq2seq import Seq2Seq, StepOutput

Route = Literal["fp32", "bf16", "int8"]
ROUTES: tuple[Route, ...] = ("fp32", "bf16", "int8")


class Network(Protocol):
    """What decoding needs of a network."""

    def encode(self, source: Tensor, lengths: Tensor) -> DecoderState:
        """The first state for `source` `[batch, source]` of `lengths` `[batch]`."""

    def step(self, tokens: Tensor, state: DecoderState) -> StepOutput:
        """One step: `tokens` `[rows]` are the last chosen ones."""


def fast_bfloat16(device: torch.device) -> bool:
    """Whether `device` multiplies bf16 faster than fp32 (AVX512-BF16 or AMX on x86; Ampere or newer on CUDA)."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


def fast_int8(device: torch.device) -> bool:
    """Whether `device` is a CPU with 8-bit dot products."""
    return device.type == "cpu" and available()


def best_route(device: torch.device) -> Route:
    """The fastest route on `device`; docs/decisions/0005-cpu-route.md has the measurements."""
    if fast_int8(device):
        return "int8"
    return "bf16" if fast_bfloat16(device) else "fp32"


def prepare(model: Seq2Seq, device: torch.device, route: str) -> Network:
    """`model` on `device`, ready for inference by `route` (`auto` takes the best); the original stays as it was.

    Raises:
        ConfigError: unknown route, or int8 asked for where there are no 8-bit dot products.
    """
    chosen = best_route(device) if route == "auto" else route
    require(chosen in ROUTES, f"route must be auto or one of {', '.join(ROUTES)}, not {route!r}")
    if chosen == "int8":
        require(fast_int8(device), "the int8 route needs a CPU with 8-bit dot products (VNNI)")
        return Int8Network(model)
    prepared = copy.deepcopy(model).to(device).eval().requires_grad_(False)
    return prepared.to(torch.bfloat16) if chosen == "bf16" else prepared


def choose_device(name: str) -> torch.device:
    """The device called `auto` (a GPU if there is one), `cpu` or `cuda`.

    Raises:
        ConfigError: another name, or there is no CUDA device.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device must be auto, cpu or cuda, not {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device cuda was asked for, but PyTorch sees no CUDA device here")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")

"""Weights in 8 bits, for the way: half the size of fp16, and near enough to train on from.

A matrix becomes integers from -127 to 127 and a scale a row, so that no weight is off by more than half a step:
1/254 of the largest of its row. A vector stays, in fp16.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.errors import ConfigError

LEVELS = 127
SCALE = ".scale"
"""After the name of a matrix: its scales, fp32, `[rows, 1]`."""


def quantise(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """int8 `[rows, columns]` and fp32 scales `[rows, 1]` whose product is near `matrix`."""
    scale = matrix.float().abs().amax(1, keepdim=True) / LEVELS
    steps = matrix.float() / torch.where(scale > 0, scale, 1.0)
    return steps.round().to(torch.int8), scale


def write_8_bits(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write `tensors`, matrices and vectors, to `path`.

    Raises:
        ConfigError: a weight is not a finite number.
    """
    unfit = sorted(name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all()))
    if unfit:
        raise ConfigError(f"weights that are not finite numbers: {', '.join(unfit)}")
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.dim() == 2:
            stored[name], stored[name + SCALE] = quantise(tensor)
        else:
            stored[name] = tensor.half()
    save_file({name: tensor.contiguous().cpu() for name, tensor in stored.items()}, path)


def read_8_bits(path: Path) -> dict[str, Tensor]:
    """The weights that `write_8_bits` wrote, in fp32.

    Raises:
        ConfigError: the file is missing or damaged, or a matrix in it has no scales.
    """
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"cannot read the weights {path}: {error}") from error
    tensors = {}
    for name, tensor in stored.items():
        if tensor.dtype == torch.int8:
            if name + SCALE not in stored:
                raise ConfigError(f"{path} has no scales of {name}")
            tensors[name] = tensor.float() * stored[name + SCALE]
        elif not name.endswith(SCALE):
            tensors[name] = tensor.float()
    return tensors

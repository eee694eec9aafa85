"""Weights by name -> what `decode.c` reads, in NumPy: gains folded in, 8 bits, panels, tables. No torch.

Names, shapes and equations are those of `model.network`; what is folded and looked up is explained in `.int8`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
LEVELS = 127
"""Largest magnitude of an 8-bit weight, and of two neighbours together: see `product`."""
ZERO = 128
"""What stands for 0 in an activation."""
SMALLEST = np.float32(1e-8)
EPSILON = 1e-5
"""Of a layer norm: PyTorch's default, which `model.network` leaves as it is."""
ROWS_AT_ONCE = 2000
"""Of a table: all of them would take more memory than anything that comes after."""
PANEL = 32
"""Outputs side by side, as in `decode.h`."""


@dataclass(frozen=True)
class Product:
    """A linear layer in 8 bits, its outputs filled up to whole panels."""

    weight: NDArray[np.int8]
    """`[panels, inputs / 4, PANEL, 4]`"""
    scale: Floats
    bias: Floats
    start: NDArray[np.int32]
    """`[outputs]`, like `scale` and `bias`: what takes off the 128 around which activations are bytes."""


class Packer:
    """Reads the weights of one network, in fp32 whatever they are stored in."""

    def __init__(self, weights: Mapping[str, NDArray[np.floating]]) -> None:
        self._weights = weights

    def array(self, name: str) -> Floats:
        """The weight called `name`."""
        return self._weights[name].astype(np.float32)

    def linear(self, name: str) -> tuple[Floats, Floats]:
        """Weight `[out, in]` and bias `[out]` of a linear layer; zeros if it has no bias."""
        weight = self.array(f"{name}.weight")
        bias = self.array(f"{name}.bias") if f"{name}.bias" in self._weights else np.zeros(len(weight), np.float32)
        return weight, bias

    def behind(self, norm: str, layer: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        """Weight and bias of a linear `layer` behind the layer norm `norm`, for what is only normalised."""
        gain, shift = self.linear(norm)
        weight, bias = layer
        return weight * gain, (weight @ shift.astype(np.float64) + bias).astype(np.float32)

    def inputs(self, layer: str, directions: Sequence[str]) -> tuple[Floats, Floats]:
        """The input products of the recurrent `directions` of `layer`, which read the same, as one behind its norm."""
        parts = [[self.array(f"{layer}.{direction}.layer.{kind}_ih_l0") for direction in directions]
                 for kind in ("weight", "bias")]  # fmt: skip
        return self.behind(f"{layer}.norm", (np.concatenate(parts[0]), np.concatenate(parts[1])))

    def state(self, recurrent: str) -> tuple[Floats, Floats]:
        """The product of the hidden state of a recurrent layer."""
        return self.array(f"{recurrent}.layer.weight_hh_l0"), self.array(f"{recurrent}.layer.bias_hh_l0")

    def table(self, embedding: str, inputs: tuple[Floats, Floats]) -> NDArray[np.float16]:
        """`[vocab, gates]`: what the first layer's `inputs` give for each token of `embedding`.

        Summed in fp64, so that the order of sums, which is another with other threads or another BLAS, does not show.
        """
        rows = self.array(f"{embedding}.weight").astype(np.float64)
        rows -= rows.mean(axis=1, keepdims=True)
        rows /= np.sqrt(np.square(rows).mean(axis=1, keepdims=True) + EPSILON)
        weight, bias = inputs[0].T.astype(np.float64), inputs[1]
        table = np.empty((len(rows), len(bias)), np.float16)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            table[start : start + ROWS_AT_ONCE] = rows[start : start + ROWS_AT_ONCE] @ weight + bias
        return table


def product(layer: tuple[Floats, Floats], padding: float = 0.0) -> Product:
    """`layer`, weight `[out, in]` and bias `[out]`, in 8 bits; outputs that are filled up give `padding`.

    AVX2 adds the products of two neighbours, each with an activation of up to 255, in 16 bits with sign. So the scale
    of an output is that of its largest pair: |a| + |b| is at most 127, and 128 when both are rounded up.
    """
    weight, bias = layer
    pairs = np.abs(weight).reshape(len(weight), -1, 2).sum(axis=2)
    scale = np.maximum(pairs.max(axis=1), SMALLEST) / np.float32(LEVELS)
    with np.errstate(invalid="ignore"):  # what is no number makes its scale so too, and is noticed in decoding
        rows = np.rint(weight / scale[:, None]).astype(np.int8)
    more = -len(rows) % PANEL
    rows = np.pad(rows, ((0, more), (0, 0)))
    return Product(
        np.ascontiguousarray(rows.reshape(-1, PANEL, rows.shape[1] // 4, 4).transpose(0, 2, 1, 3)),
        np.pad(scale, (0, more)),
        np.pad(bias, (0, more), constant_values=padding),
        rows.sum(axis=1, dtype=np.int32) * -ZERO,
    )

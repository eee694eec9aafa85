"""What the 8-bit networks are made of: quantised products, and the folding of what stands around them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.kernels.packing import LEVELS, SMALLEST, ZERO
from model.network.recurrent import Recurrent

ROUND = torch.tensor(ZERO + 0.5)
"""Added before cutting to an integer, which then rounds."""


def available() -> bool:
    """Whether this CPU has 8-bit dot products (VNNI) and this PyTorch the kernels. Without VNNI their sums overflow."""
    return bool(torch.cpu._is_vnni_supported()) and hasattr(torch.ops.onednn, "qlinear_pointwise")


def quantise(weight: Tensor) -> tuple[Tensor, Tensor]:
    """`weight` `[out, in]` as int8, and the scales `[out]` that give it back."""
    weight = weight.detach().float()
    pairs = functional.pad(weight, (0, weight.shape[1] % 2)).abs().view(len(weight), -1, 2).sum(dim=2)
    scale = pairs.amax(dim=1).clamp_(min=float(SMALLEST)).div_(LEVELS)
    return (weight / scale[:, None]).round_().to(torch.int8), scale


class Int8Linear:
    """A linear layer whose weights are 8-bit integers with a scale for each output unit.

    Without VNNI it gives the same, slowly: what `decode.c` finds can be compared everywhere.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """From `weight` `[out, in]` and `bias` `[out]`."""
        rows, self._scale = quantise(weight)
        self._fast = available()
        self._weight = torch.ops.onednn.qlinear_prepack(rows, None) if self._fast else rows.float().t().contiguous()
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)
        self._bias = bias.detach().float()

    def __call__(self, rows: Tensor) -> Tensor:
        """`[rows, in]` -> `[rows, out]`, both fp32; each row has its own scale."""
        largest = rows.abs().amax(dim=1, keepdim=True).clamp_(min=float(SMALLEST))
        summed = self._multiply(torch.addcmul(ROUND, rows, LEVELS / largest).to(torch.uint8), 1.0, None)
        return torch.addcmul(self._bias, summed, largest.div_(LEVELS), out=summed)

    def of_states(self, states: Tensor) -> Tensor:
        """Like `__call__` for `states` within [-1, 1]."""
        rows = torch.add(ROUND, states, alpha=LEVELS).to(torch.uint8)
        if len(rows) > 1:
            return self._multiply(rows, 1 / LEVELS, self._bias)
        # oneDNN scales a single row in another order, and what a sentence comes to would depend on its neighbours
        return self._multiply(rows.repeat(2, 1), 1 / LEVELS, self._bias)[:1]

    def _multiply(self, rows: Tensor, scale: float, bias: Tensor | None) -> Tensor:
        if not self._fast:  # sums of 1,000 such products are exact in fp32
            summed = ((rows.float() - ZERO) @ self._weight).mul_(self._scale * scale)
            return summed if bias is None else summed.add_(bias)
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            rows, scale, ZERO, self._weight, self._scale, self._zeros, bias, 1.0, 0, torch.float32, "none", [], ""
        )
        return product


def folded(norm: nn.Module, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear layer that stands behind `norm`, to be applied to what is only normalised."""
    given = weight.new_zeros(len(weight)) if bias is None else bias
    if not isinstance(norm, nn.LayerNorm):
        return weight, given
    return weight * norm.weight, weight @ norm.bias + given


class Normalise:
    """A layer norm without its gain and bias, or nothing in its place."""

    def __init__(self, norm: nn.Module) -> None:
        self._shape = norm.normalized_shape if isinstance(norm, nn.LayerNorm) else None
        self._eps = norm.eps if isinstance(norm, nn.LayerNorm) else 0.0

    def __call__(self, rows: Tensor) -> Tensor:
        """`[rows, size]` -> `[rows, size]`."""
        return rows if self._shape is None else functional.layer_norm(rows, self._shape, eps=self._eps)


def input_weights(norm: nn.Module, recurrents: Sequence[Recurrent]) -> tuple[Tensor, Tensor]:
    """The input products of `recurrents`, which read the same, as one: weight `[all gates, in]`, bias `[all gates]`."""
    weights: list[dict[str, Tensor]] = [dict(recurrent.layer.named_parameters()) for recurrent in recurrents]
    weight, bias = (torch.cat([of_one[name] for of_one in weights]) for name in ("weight_ih_l0", "bias_ih_l0"))
    return folded(norm, weight, bias)


def table_of(embedding: nn.Embedding, norm: nn.Module, weights: tuple[Tensor, Tensor]) -> Tensor:
    """`[vocab, gates]` in fp16: what the first layer's input product gives for each token."""
    return torch.addmm(weights[1], Normalise(norm)(embedding.weight.float()), weights[0].t()).half()

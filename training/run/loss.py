"""Label-smoothed cross-entropy through the output layer, without keeping a logit for every token and word.

The logits of a batch (4,000 tokens x 8,000 words x 4 bytes = 128 MB) cost more in memory traffic than in arithmetic.
Here they live for one chunk of tokens at a time: the gradient is taken in the forward pass, while the chunk is in the
cache, and only the gradients of the read-out and of the output layer are kept.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from model.kernels.fused import cross_entropy_gradients, is_fused
from model.kernels.products import Right
from model.text.ids import PAD

CHUNK_TOKENS = {"cpu": 512, "cuda": 8192}
"""512 x 8,000 fp32 logits are 16 MB: they stay in a CPU's last-level cache."""


class Loss(NamedTuple):
    """Means over the tokens of a batch, in nats."""

    smoothed: Tensor
    """What is minimised; has a gradient."""
    nll: Tensor
    """Negative log-likelihood of the labels; for people, no gradient."""
    tokens: int


def smoothed_cross_entropy(readout: Tensor, output: nn.Linear, labels: Tensor, smoothing: float) -> Loss:
    """Loss of `readout` `[batch, target, embedding]` against `labels` `[batch, target]`; PAD carries none.

    Label smoothing as in Szegedy et al. 2016, section 7: the target is (1 - smoothing) on the label and
    smoothing / vocabulary on every word.
    """
    kept = labels != PAD
    rows = readout[kept]
    smoothed, nll = _ChunkedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        rows, output.weight, output.bias, labels[kept], smoothing
    )
    return Loss(smoothed, nll, rows.shape[0])


def negative_log_likelihoods(rows: Tensor, output: nn.Linear, labels: Tensor) -> Tensor:
    """Of each of `labels` `[tokens]`, in nats, given what the output layer reads, `rows` `[tokens, embedding]`.

    In fp32 and without gradient. The logits live for one chunk of tokens at a time, here too.
    """
    right, bias = Right(output.weight.to(rows.dtype).t()), output.bias.to(rows.dtype)
    found = torch.empty(labels.shape, dtype=torch.float32, device=rows.device)
    size = CHUNK_TOKENS.get(rows.device.type, 8192)
    for start in range(0, rows.shape[0], size):
        logits = right.multiply(rows[start : start + size], bias=bias).float()  # [chunk, vocab]
        chosen = logits.gather(1, labels[start : start + size, None])[:, 0]
        found[start : start + size] = logits.logsumexp(dim=1) - chosen
    return found


class _ChunkedCrossEntropy(torch.autograd.Function):
    """The smoothing part of loss and gradient is the same for every word, so it needs no pass over the logits:

    sum over words of the logits = row . (sum of weights) + (sum of biases); its gradients are those two sums again.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, labels: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        """`rows` `[tokens, embedding]`, `weight` `[vocab, embedding]`, `bias` `[vocab]`, `labels` `[tokens]`."""
        gradients = cross_entropy_gradients if is_fused(rows, weight.shape[0]) else _gradients
        row_grad, weight_grad, bias_grad, (nll, log_sums) = gradients(rows, weight, bias, labels, smoothing)
        even = smoothing / weight.shape[0]
        row_sum, weight_sum = rows.sum(dim=0, dtype=torch.float32), weight.sum(dim=0)
        row_grad -= (even * weight_sum).to(rows.dtype)
        weight_grad -= (even * row_sum).to(weight.dtype)
        bias_grad -= even * rows.shape[0]
        logit_sum = row_sum @ weight_sum.float() + rows.shape[0] * bias.sum()
        smoothed = (1 - smoothing) * nll + smoothing * log_sums - even * logit_sum
        ctx.save_for_backward(row_grad, weight_grad, bias_grad)
        ctx.mean = 1 / max(rows.shape[0], 1)
        ctx.mark_non_differentiable(nll)
        return smoothed * ctx.mean, nll.mul_(ctx.mean)

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _nll: Tensor) -> tuple[Tensor | None, ...]:
        scale = grad * ctx.mean
        row_grad, weight_grad, bias_grad = ctx.saved_tensors
        return row_grad * scale.to(row_grad.dtype), weight_grad * scale, bias_grad * scale, None, None


def _gradients(
    rows: Tensor, weight: Tensor, bias: Tensor, labels: Tensor, smoothing: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`model.kernels.fused.cross_entropy_gradients` in PyTorch, on any device and in any type."""
    narrow_weight, narrow_bias = weight.to(rows.dtype), bias.to(rows.dtype)
    row_grad, weight_grad, bias_grad = torch.empty_like(rows), torch.zeros_like(weight), torch.zeros_like(bias)
    sums = torch.zeros(2, dtype=torch.float32, device=rows.device)
    size = CHUNK_TOKENS.get(rows.device.type, 8192)
    for start in range(0, rows.shape[0], size):
        chunk, label = rows[start : start + size], labels[start : start + size, None]
        logits = torch.addmm(narrow_bias, chunk, narrow_weight.t()).float()  # [chunk, vocab]
        highest = logits.amax(dim=1, keepdim=True)
        chosen = logits.gather(1, label) - highest
        exponentials = logits.sub_(highest).exp_()
        total = exponentials.sum(dim=1, keepdim=True)
        sums[1] += (total.log() + highest).sum()
        sums[0] += (total.log() - chosen).sum()
        grad = torch.mul(exponentials, total.reciprocal(), out=torch.empty_like(logits, dtype=rows.dtype))
        grad.scatter_add_(1, label, grad.new_full(label.shape, smoothing - 1))
        bias_grad += grad.sum(dim=0, dtype=torch.float32)
        torch.mm(grad, narrow_weight, out=row_grad[start : start + size])
        weight_grad += torch.mm(grad.t(), chunk)
    return row_grad, weight_grad, bias_grad, sums

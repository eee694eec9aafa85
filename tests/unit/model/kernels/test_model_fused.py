"""`train.c` against PyTorch in fp32: the same results, as near as bf16 can come."""

import pytest
import torch
from torch import nn

from model.kernels.fused import FusedGRU, is_fused, kernels
from training.run.loss import smoothed_cross_entropy

pytestmark = pytest.mark.native
BATCH, TIME, SIZE, HIDDEN, VOCAB = 37, 7, 48, 64, 96
TOLERANCE = 0.02
"""Of the norm. Rounding to bf16 alone gives 0.003 to 0.01; a wrong gate, stride or sign gives 0.1 and more."""


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found.float() - expected).norm() / expected.norm()).item()


def narrow(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().bfloat16().requires_grad_()


def test_a_recurrent_layer_and_all_its_gradients():
    torch.manual_seed(1)
    layer = nn.GRU(SIZE, HIDDEN, batch_first=True)
    inputs = torch.randn(BATCH, TIME, SIZE, requires_grad=True)
    state = torch.randn(BATCH, HIDDEN).mul_(0.5).requires_grad_()
    of_outputs, of_last = torch.randn(BATCH, TIME, HIDDEN), torch.randn(BATCH, HIDDEN)
    outputs, last = layer(inputs, state[None])
    ((outputs * of_outputs).sum() + (last[0] * of_last).sum()).backward()
    expected = [inputs.grad, state.grad, *(parameter.grad for parameter in layer.parameters())]

    arguments = [narrow(tensor) for tensor in (inputs, state, *layer.parameters())]
    found, found_last = FusedGRU.apply(*arguments)
    ((found * of_outputs.bfloat16()).sum() + (found_last * of_last.bfloat16()).sum()).backward()
    assert distance(found, outputs) < TOLERANCE
    assert distance(found_last, last[0]) < TOLERANCE
    names = ("inputs", "state", "weight_ih", "weight_hh", "bias_ih", "bias_hh")
    for name, argument, gradient in zip(names, arguments, expected, strict=True):
        assert distance(argument.grad, gradient) < TOLERANCE, name


def test_outputs_that_nobody_reads_have_no_gradient_to_give():
    layer = nn.GRU(SIZE, HIDDEN, batch_first=True)
    arguments = [narrow(tensor) for tensor in (torch.randn(2, 3, SIZE), torch.zeros(2, HIDDEN), *layer.parameters())]
    _, last = FusedGRU.apply(*arguments)
    last.float().sum().backward()
    assert torch.isfinite(arguments[2].grad.float()).all()
    assert arguments[2].grad.any()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_and_its_gradients(smoothing):
    torch.manual_seed(2)
    output = nn.Linear(SIZE, VOCAB)
    readout = torch.randn(BATCH, 20, SIZE)  # more rows than a chunk holds
    labels = torch.randint(0, VOCAB, (BATCH, 20))  # 0 is padding: some rows count nothing
    results = []
    for rows in (readout.clone().requires_grad_(), narrow(readout)):
        output.zero_grad()
        loss = smoothed_cross_entropy(rows, output, labels, smoothing)
        loss.smoothed.backward()
        results.append((loss.smoothed, loss.nll, rows.grad, output.weight.grad.clone(), output.bias.grad.clone()))
    for name, expected, found in zip(("smoothed", "nll", "rows", "weight", "bias"), *results, strict=True):
        assert distance(found, expected.detach()) < TOLERANCE, name


def test_what_it_cannot_take_is_left_to_pytorch():
    assert kernels() is not None
    assert is_fused(torch.zeros(1, dtype=torch.bfloat16), 64)
    assert not is_fused(torch.zeros(1), 64), "fp32"
    assert not is_fused(torch.zeros(1, dtype=torch.bfloat16), 64, 20), "not whole registers"

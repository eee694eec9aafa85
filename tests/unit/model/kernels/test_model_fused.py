"""`train.c` against PyTorch in fp32: the same results, as near as bf16 can come."""

import copy
import functools

import pytest
import torch
from layouts import LAYOUTS, drawn, placed
from torch import nn

from model.kernels.fused import FusedGRU, cross_entropy_gradients, is_fused, kernels, run_layer
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


def results_of(run, layer, inputs, state, of_outputs, of_last):
    """What `run` gives for a layer of one direction, and the gradients of all that it reads, by name."""
    inputs, state = inputs.requires_grad_(), state.requires_grad_()
    outputs, last = run(inputs, state[None])
    torch.autograd.backward((outputs, last), (of_outputs, of_last[None]))
    gradients = {name: parameter.grad for name, parameter in layer.named_parameters()}
    return {"outputs": outputs, "last": last, "inputs": inputs.grad, "state": state.grad, **gradients}


@LAYOUTS
def test_a_recurrent_layer_of_any_layout(seed):
    rng = drawn(seed)
    batch, time, size = rng.choice((1, 2, 7, 33)), rng.choice((1, 2, 9)), rng.randint(1, 70)
    hidden = 16 * rng.randint(1, 8) if rng.random() < 0.8 else rng.randint(1, 70)  # the latter are left to PyTorch
    layer = nn.GRU(size, hidden, batch_first=True).bfloat16()
    given = torch.randn(batch, time, size), torch.randn(batch, hidden).div_(2)
    given += torch.randn(batch, time, hidden), torch.randn(batch, hidden)
    given = [tensor.bfloat16() for tensor in given]
    wide = copy.deepcopy(layer).float()
    expected = results_of(wide, wide, *(tensor.float() for tensor in given))
    found = results_of(functools.partial(run_layer, layer), layer, *(placed(tensor, rng) for tensor in given))
    for name, tensor in expected.items():
        assert distance(found[name], tensor) < TOLERANCE, name


@LAYOUTS
def test_the_loss_of_any_layout(seed):
    rng = drawn(seed)
    tokens, size, vocab = rng.choice((1, 2, 37, 511, 512, 513)), rng.randint(1, 70), 16 * rng.randint(1, 20)
    rows, weight, bias = torch.randn(tokens, size).bfloat16(), torch.randn(vocab, size) / 8, torch.randn(vocab)
    labels, smoothing = torch.randint(0, vocab, (tokens,)), rng.choice((0.0, 0.1))
    logits = torch.addmm(bias.bfloat16(), rows, weight.bfloat16().t()).float()
    log_probs = logits.log_softmax(dim=1)
    of_logits = log_probs.exp()
    of_logits[range(tokens), labels] -= 1 - smoothing
    nll = -log_probs[range(tokens), labels].sum()
    expected = (
        of_logits @ weight,
        of_logits.t() @ rows.float(),
        of_logits.sum(dim=0),
        nll,
        logits.logsumexp(dim=1).sum(),
    )

    labels = labels.to(rng.choice((torch.int64, torch.int32)))
    weight = weight.to(rng.choice((torch.float32, torch.bfloat16)))
    arguments = [placed(tensor, rng) for tensor in (rows, weight, bias.to(weight.dtype), labels)]
    *found, sums = cross_entropy_gradients(*arguments, smoothing)
    for name, one, other in zip(("rows", "weight", "bias", "nll", "log sums"), (*found, *sums), expected, strict=True):
        assert distance(one, other) < TOLERANCE, name


@pytest.mark.parametrize("label", [-1, VOCAB])
def test_a_label_that_is_no_word_is_refused(label):
    rows, weight = torch.zeros(1, SIZE, dtype=torch.bfloat16), torch.zeros(VOCAB, SIZE)
    with pytest.raises(IndexError, match=f"{VOCAB} words"):
        cross_entropy_gradients(rows, weight, torch.zeros(VOCAB), torch.tensor([label]), 0.0)


def test_what_it_cannot_take_is_left_to_pytorch():
    assert kernels() is not None
    assert is_fused(torch.zeros(1, dtype=torch.bfloat16), 64)
    assert not is_fused(torch.zeros(1), 64), "fp32"
    assert not is_fused(torch.zeros(1, dtype=torch.bfloat16), 64, 20), "not whole registers"

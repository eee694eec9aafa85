"""`train_bf16.c` and `train_fp32.c` against PyTorch in fp32: the same results, as near as their numbers can come."""

import copy
import functools
from collections.abc import Iterator

import pytest
import torch
from layouts import LAYOUTS, drawn, placed
from torch import nn

from model.kernels.fused import FusedGRU, cross_entropy_gradients, is_fused, kernels, run_layer, run_linear
from model.kernels.products import Right, is_own, product
from training.run.loss import smoothed_cross_entropy

BATCH, TIME, SIZE, HIDDEN, VOCAB = 37, 7, 48, 64, 96
DTYPES = pytest.mark.parametrize(
    "dtype",
    [
        pytest.param(torch.bfloat16, marks=pytest.mark.avx512, id="bf16"),
        pytest.param(torch.float32, marks=pytest.mark.native, id="fp32"),
    ],
)
TOLERANCE = {torch.bfloat16: 0.02, torch.float32: 2e-5}
"""Of the norm. Rounding to bf16 alone gives 0.003 to 0.01; a wrong gate, stride or sign gives 0.1 and more."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As in training: with more, products on fp32 are PyTorch's."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found.float() - expected).norm() / expected.norm()).item()


def leaf(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return tensor.detach().clone().to(dtype).requires_grad_()


@DTYPES
def test_a_recurrent_layer_and_all_its_gradients(dtype):
    torch.manual_seed(1)
    layer = nn.GRU(SIZE, HIDDEN, batch_first=True)
    inputs = torch.randn(BATCH, TIME, SIZE, requires_grad=True)
    state = torch.randn(BATCH, HIDDEN).mul_(0.5).requires_grad_()
    of_outputs, of_last = torch.randn(BATCH, TIME, HIDDEN), torch.randn(BATCH, HIDDEN)
    outputs, last = layer(inputs, state[None])
    ((outputs * of_outputs).sum() + (last[0] * of_last).sum()).backward()
    expected = [inputs.grad, state.grad, *(parameter.grad for parameter in layer.parameters())]

    arguments = [leaf(tensor, dtype) for tensor in (inputs, state, *layer.parameters())]
    found, found_last = FusedGRU.apply(*arguments)
    ((found * of_outputs.to(dtype)).sum() + (found_last * of_last.to(dtype)).sum()).backward()
    assert distance(found, outputs) < TOLERANCE[dtype]
    assert distance(found_last, last[0]) < TOLERANCE[dtype]
    names = ("inputs", "state", "weight_ih", "weight_hh", "bias_ih", "bias_hh")
    for name, argument, gradient in zip(names, arguments, expected, strict=True):
        assert distance(argument.grad, gradient) < TOLERANCE[dtype], name


@DTYPES
def test_outputs_that_nobody_reads_have_no_gradient_to_give(dtype):
    layer = nn.GRU(SIZE, HIDDEN, batch_first=True)
    arguments = [
        leaf(tensor, dtype) for tensor in (torch.randn(2, 3, SIZE), torch.zeros(2, HIDDEN), *layer.parameters())
    ]
    _, last = FusedGRU.apply(*arguments)
    last.float().sum().backward()
    assert torch.isfinite(arguments[2].grad.float()).all()
    assert arguments[2].grad.any()


@DTYPES
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_and_its_gradients(smoothing, dtype):
    torch.manual_seed(2)
    output = nn.Linear(SIZE, VOCAB)
    readout = torch.randn(BATCH, 20, SIZE)  # more rows than a chunk holds
    labels = torch.randint(0, VOCAB, (BATCH, 20))  # 0 is padding: some rows count nothing
    results = []
    for rows in (readout.double().requires_grad_(), leaf(readout, dtype)):
        output.zero_grad()
        output.to(torch.float64 if rows.dtype == torch.float64 else torch.float32)
        loss = smoothed_cross_entropy(rows, output, labels, smoothing)
        loss.smoothed.backward()
        results.append((loss.smoothed, loss.nll, rows.grad, output.weight.grad.clone(), output.bias.grad.clone()))
    for name, expected, found in zip(("smoothed", "nll", "rows", "weight", "bias"), *results, strict=True):
        assert distance(found, expected.detach()) < TOLERANCE[dtype], name


def results_of(run, layer, inputs, state, of_outputs, of_last):
    """What `run` gives for a layer of one direction, and the gradients of all that it reads, by name."""
    inputs, state = inputs.requires_grad_(), state.requires_grad_()
    outputs, last = run(inputs, state[None])
    torch.autograd.backward((outputs, last), (of_outputs, of_last[None]))
    gradients = {name: parameter.grad for name, parameter in layer.named_parameters()}
    return {"outputs": outputs, "last": last, "inputs": inputs.grad, "state": state.grad, **gradients}


@DTYPES
@LAYOUTS
def test_a_recurrent_layer_of_any_layout(seed, dtype):
    rng = drawn(seed)
    batch, time, size = rng.choice((1, 2, 7, 33)), rng.choice((1, 2, 9)), rng.randint(1, 70)
    hidden = 16 * rng.randint(1, 8) if rng.random() < 0.8 else rng.randint(1, 70)  # the latter are left to PyTorch
    layer = nn.GRU(size, hidden, batch_first=True).to(dtype)
    given = torch.randn(batch, time, size), torch.randn(batch, hidden).div_(2)
    given += torch.randn(batch, time, hidden), torch.randn(batch, hidden)
    given = [tensor.to(dtype) for tensor in given]
    wide = copy.deepcopy(layer).double()
    expected = results_of(wide, wide, *(tensor.double() for tensor in given))
    found = results_of(functools.partial(run_layer, layer), layer, *(placed(tensor, rng) for tensor in given))
    for name, tensor in expected.items():
        assert distance(found[name], tensor) < TOLERANCE[dtype], name


@DTYPES
@LAYOUTS
def test_the_loss_of_any_layout(seed, dtype):
    rng = drawn(seed)
    tokens, size, vocab = rng.choice((1, 2, 37, 511, 512, 513)), rng.randint(1, 70), 16 * rng.randint(1, 20)
    rows, weight, bias = torch.randn(tokens, size).to(dtype), torch.randn(vocab, size) / 8, torch.randn(vocab)
    labels, smoothing = torch.randint(0, vocab, (tokens,)), rng.choice((0.0, 0.1))
    logits = torch.addmm(bias.to(dtype), rows, weight.to(dtype).t()).float()
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
    weight = weight.to(rng.choice((torch.float32, dtype)))
    arguments = [placed(tensor, rng) for tensor in (rows, weight, bias.to(weight.dtype), labels)]
    *found, sums = cross_entropy_gradients(*arguments, smoothing)
    for name, one, other in zip(("rows", "weight", "bias", "nll", "log sums"), (*found, *sums), expected, strict=True):
        assert distance(one, other) < TOLERANCE[dtype], name


@DTYPES
@pytest.mark.parametrize("label", [-1, VOCAB])
def test_a_label_that_is_no_word_is_refused(label, dtype):
    rows, weight = torch.zeros(1, SIZE, dtype=dtype), torch.zeros(VOCAB, SIZE)
    with pytest.raises(IndexError, match=f"{VOCAB} words"):
        cross_entropy_gradients(rows, weight, torch.zeros(VOCAB), torch.tensor([label]), 0.0)


@DTYPES
def test_what_it_cannot_take_is_left_to_pytorch(dtype):
    assert kernels(dtype) is not None
    assert is_fused(torch.zeros(1, dtype=dtype), 64)
    assert not is_fused(torch.zeros(1, dtype=torch.float64), 64)
    assert not is_fused(torch.zeros(1, dtype=dtype), 64, 20), "not whole registers"


@pytest.mark.native
@LAYOUTS
def test_products_of_any_layout(seed):
    rng = drawn(seed)
    for _ in range(20):  # around the edges of tiles, blocks and panels
        rows, depth, columns = (rng.choice((1, 2, 5, 6, 7, 15, 16, 17, 95, 97, 255, 256, 257, 300)) for _ in range(3))
        left, matrix, before = torch.randn(rows, depth), torch.randn(depth, columns), torch.randn(rows, columns)
        expected = left.double() @ matrix.double()
        room = torch.full((rows, columns + 3), 7.0)  # what lies beside a row is somebody else's
        out = room[:, :columns]
        right = Right(placed(matrix, rng))
        assert right.multiply(placed(left, rng), out=out) is out
        assert distance(out, expected) < TOLERANCE[torch.float32]
        assert (room[:, columns:] == 7).all()
        out.copy_(before)
        right.add_to(out, placed(left, rng))
        assert distance(out, before + expected) < TOLERANCE[torch.float32]
        assert distance(product(placed(left, rng), placed(matrix, rng)), expected) < TOLERANCE[torch.float32]


@pytest.mark.native
def test_products_of_nothing_are_zeros_or_the_bias():
    right, bias = Right(torch.zeros(0, 16)), torch.arange(16.0)
    assert torch.equal(right.multiply(torch.zeros(4, 0), out=torch.full((4, 16), 7.0)), torch.zeros(4, 16))
    assert torch.equal(right.multiply(torch.zeros(4, 0), bias=bias), bias.expand(4, 16))
    assert torch.equal(right.add_to(torch.full((4, 16), 7.0), torch.zeros(4, 0)), torch.full((4, 16), 7.0))
    assert Right(torch.zeros(3, 16)).multiply(torch.zeros(0, 3)).shape == (0, 16)


@pytest.mark.native
def test_products_know_what_does_not_fit():
    right = Right(torch.zeros(3, 4))
    for left, out in (
        (torch.zeros(2, 2), None),
        (torch.zeros(2, 3), torch.zeros(2, 5)),
        (torch.zeros(2, 3).double(), None),
        (torch.zeros(2, 3), torch.zeros(4, 2).t()),
    ):
        with pytest.raises(ValueError, match="does not go into"):
            right.multiply(left, out)


@pytest.mark.native
def test_what_is_no_number_stays_so():
    left = torch.tensor([[float("nan"), 1.0], [float("inf"), 1.0]])
    assert torch.isnan(product(left, torch.ones(2, 16))[0]).all()
    assert torch.isinf(product(left, torch.ones(2, 16))[1]).all()


@pytest.mark.native
def test_with_several_threads_or_other_numbers_products_are_pytorchs():
    assert is_own(torch.zeros(1))
    assert not is_own(torch.zeros(1, dtype=torch.float64))
    torch.set_num_threads(2)
    assert not is_own(torch.zeros(1))
    assert distance(Right(torch.ones(3, 4)).multiply(torch.ones(2, 3)), torch.full((2, 4), 3.0)) == 0


@pytest.mark.native
@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_and_its_gradients(bias):
    torch.manual_seed(3)
    layer, inputs, grad = nn.Linear(SIZE, VOCAB, bias=bias), torch.randn(3, 5, SIZE), torch.randn(3, 5, VOCAB)
    wide, wide_inputs = copy.deepcopy(layer).double(), leaf(inputs, torch.float64)
    expected = wide(wide_inputs)
    expected.backward(grad.double())
    inputs.requires_grad_()
    found = run_linear(layer, inputs)
    found.backward(grad)
    assert distance(found, expected) < TOLERANCE[torch.float32]
    assert distance(inputs.grad, wide_inputs.grad) < TOLERANCE[torch.float32]
    for one, other in zip(layer.parameters(), wide.parameters(), strict=True):
        assert distance(one.grad, other.grad) < TOLERANCE[torch.float32]

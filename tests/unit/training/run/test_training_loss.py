"""The chunked loss is the textbook's, gradients included."""

import pytest
import torch
from torch.nn import functional

from model.text.ids import PAD
from training.run import loss as loss_module
from training.run.loss import negative_log_likelihoods, smoothed_cross_entropy


def example(vocab=50, size=16):
    torch.manual_seed(0)
    output = torch.nn.Linear(size, vocab)
    readout = torch.randn(4, 7, size, requires_grad=True)
    labels = torch.randint(1, vocab, (4, 7))
    labels[0, 3:] = PAD
    return output, readout, labels


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("chunk", [3, 1000])
def test_it_equals_the_unchunked_loss_and_its_gradients(monkeypatch, smoothing, chunk):
    monkeypatch.setitem(loss_module.CHUNK_TOKENS, "cpu", chunk)
    output, readout, labels = example()
    got = smoothed_cross_entropy(readout, output, labels, smoothing)
    (got.smoothed * 3).backward()
    gradients = [readout.grad, output.weight.grad, output.bias.grad]
    readout.grad = None
    output.zero_grad()
    logits = output(readout).flatten(0, 1)
    expected = functional.cross_entropy(logits, labels.flatten(), ignore_index=PAD, label_smoothing=smoothing)
    (expected * 3).backward()
    torch.testing.assert_close(got.smoothed, expected)
    torch.testing.assert_close(got.nll, functional.cross_entropy(logits, labels.flatten(), ignore_index=PAD))
    assert got.tokens == int((labels != PAD).sum())
    for ours, theirs in zip(gradients, (readout.grad, output.weight.grad, output.bias.grad), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_bf16_readouts_keep_fp32_gradients_of_the_output_layer():
    output, readout, labels = example()
    narrow = readout.detach().bfloat16().requires_grad_()
    smoothed_cross_entropy(narrow, output, labels, 0.1).smoothed.backward()
    assert narrow.grad.dtype == torch.bfloat16
    assert output.weight.grad.dtype == torch.float32
    smoothed_cross_entropy(readout, output, labels, 0.1).smoothed.backward()
    torch.testing.assert_close(narrow.grad.float(), readout.grad, atol=2e-3, rtol=0.05)


def test_a_batch_of_padding_only_costs_nothing():
    output, readout, labels = example()
    got = smoothed_cross_entropy(readout, output, torch.full_like(labels, PAD), 0.1)
    got.smoothed.backward()
    assert got.tokens == 0
    assert got.smoothed.item() == 0


@pytest.mark.parametrize("chunk", [3, 1000])
def test_each_label_gets_its_own_likelihood(monkeypatch, chunk):
    monkeypatch.setitem(loss_module.CHUNK_TOKENS, "cpu", chunk)
    output, readout, labels = example()
    rows = readout.detach().flatten(0, 1)
    expected = -functional.log_softmax(output(rows), dim=-1).gather(1, labels.flatten()[:, None])[:, 0]
    with torch.inference_mode():
        got = negative_log_likelihoods(rows, output, labels.flatten())
    torch.testing.assert_close(got, expected.detach())
